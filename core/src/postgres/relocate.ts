import { randomBytes } from "node:crypto";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { assertOurs } from "./binary-cache.js";
import { type ClusterPaths, clusterPaths } from "./cluster.js";

export const DEFAULT_RELOCATION = "/var/lib/tasker/postgres";

/**
 * Gives a project that only root can enter a place for its data that the server's user can enter, and links to it from
 * the project. Of several processes that do this at once, the first link counts.
 */
export async function relocate(
  paths: ClusterPaths,
  parent: string = DEFAULT_RELOCATION,
): Promise<ClusterPaths> {
  await mkdir(parent, { recursive: true, mode: 0o755 });
  await assertOurs(parent);
  const home = join(parent, randomBytes(8).toString("hex"));
  await mkdir(home, { mode: 0o755 });
  try {
    await symlink(join(home, "cluster"), join(paths.dataDir, "cluster"));
  } catch (error) {
    await rm(home, { recursive: true });
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return clusterPaths(paths.dataDir);
}
