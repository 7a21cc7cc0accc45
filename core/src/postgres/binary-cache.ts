import { existsSync } from "node:fs";
import { chmod, cp, lstat, mkdir, rename, rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { DatabaseError } from "../errors/index.js";

/**
 * Copies a tree of binaries once per version into a directory that any user can read, and returns the copy. Safe when
 * several processes do it at once: each copies aside, and the first rename wins.
 */
export async function copyToCache(
  root: string,
  label: string,
  cacheDir: string | undefined,
  prepare: (copy: string) => Promise<void> = async () => undefined,
): Promise<string> {
  const parent = cacheDir ?? join(tmpdir(), `tasker-postgres-${userInfo().uid}`);
  await mkdir(parent, { recursive: true, mode: 0o755 });
  await assertOurs(parent);
  const final = join(parent, label);
  if (existsSync(final)) return final;
  const aside = `${final}.${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  await cp(root, aside, { recursive: true, verbatimSymlinks: true });
  await prepare(aside);
  // The source may have been private to its owner.
  await chmod(aside, 0o755);
  await rename(aside, final).catch(async (error: unknown) => {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(final)) throw error;
  });
  return final;
}

/** The temp directory is shared: programs or data prepared there by somebody else must not be used. */
export async function assertOurs(path: string): Promise<void> {
  const info = await lstat(path);
  if (info.isDirectory() && info.uid === userInfo().uid && (info.mode & 0o022) === 0) return;
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `${path} should hold files of Postgres but is not a directory that only its owner (uid ${userInfo().uid}) can write. Remove it or make it so, or choose another (\`cacheDir\`, \`relocateTo\`).`,
  );
}
