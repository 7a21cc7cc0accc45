import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What a running server writes about itself into its data directory. */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number;
  /** `starting`, `ready`, `stopping` or `standby`; empty for the first instant of a start. */
  readonly status: string;
}

/** What the file means for somebody who wants this cluster. */
export type ClusterState =
  | { readonly kind: "down" }
  /** The file names a process that is not this cluster's server: the number was given to somebody else. */
  | { readonly kind: "pid-reused"; readonly text: string }
  | { readonly kind: "up"; readonly file: PostmasterFile };

export async function readClusterState(pgdata: string): Promise<ClusterState> {
  const text = await readFile(join(pgdata, "postmaster.pid"), "utf8").catch(() => null);
  if (text === null) return { kind: "down" };
  const file = parsePostmasterFile(text);
  // A dead server's file is left in place: Postgres removes it after checking that no backend of it survives.
  if (file === null || !isAlive(file.pid)) return { kind: "down" };
  if (!isServerOf(file.pid, pgdata)) return { kind: "pid-reused", text };
  return { kind: "up", file };
}

export function parsePostmasterFile(text: string): PostmasterFile | null {
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? "").trim() };
}

// Above every pid_max, so no process has it; Postgres then treats the file as a crashed server's.
const PID_OF_NOBODY = 2_147_483_647;

/**
 * Makes Postgres see a reused pid as the dead one it is. The rest of the file stays, because its shared memory key is
 * how Postgres notices surviving backends. The file is moved aside first: had somebody started a server since `text`
 * was read, the moved file would differ, and goes back.
 */
export async function disownPid(pgdata: string, text: string): Promise<void> {
  const path = join(pgdata, "postmaster.pid");
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    // The server was not a stranger but on its way out, and has removed its file.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await readFile(aside, "utf8")) !== text) {
    await rename(aside, path);
    return;
  }
  // Written into the same file, so that its owner and mode stay as the next server expects.
  await writeFile(aside, [String(PID_OF_NOBODY), ...text.split("\n").slice(1)].join("\n"));
  // A link does not replace: a server that started in between has a file of its own, and that one counts.
  await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether the process was started with this data directory on its command line, as every launcher of Postgres does. */
export function isServerOf(pid: number, pgdata: string): boolean {
  const words = commandLine(pid);
  const real = realpathOrSelf(pgdata);
  return words.some((word) => word === pgdata || word === real);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return commandLineFromPs(pid);
  }
}

// macOS and BSD have no /proc.
function commandLineFromPs(pid: number): string[] {
  try {
    return execFileSync("ps", ["-o", "args=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).split(/\s+/);
  } catch {
    return [];
  }
}

function realpathOrSelf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
