import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { lchown } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseError } from "../errors/index.js";
import type { PostgresBinaries } from "./binaries.js";
import { copyToCache } from "./binary-cache.js";
import { type Command, run } from "./run.js";

/**
 * Who Postgres runs as. It refuses to be root, so root drops to an unprivileged user, or to a user namespace in which
 * root is not called root.
 */
export interface Identity {
  readonly binDir: string;
  /** Owner of the data directory, seen from outside. */
  readonly uid: number;
  readonly gid: number;
  command(program: "postgres" | "initdb", args: readonly string[]): Command;
}

export interface IdentityOptions {
  /** Directory that holds, or will hold, the cluster; it exists. */
  readonly home: string;
  readonly binaries: PostgresBinaries;
  readonly cacheDir?: string | undefined;
  /** Default true. */
  readonly userNamespace?: boolean | undefined;
}

/**
 * Chooses the identity by trying it: whether a user can enter a directory or load a library depends on more than mode
 * bits.
 *
 * @throws DatabaseError `DATABASE_START_FAILED` when root finds no identity that can reach binaries and data.
 */
export async function chooseIdentity(options: IdentityOptions): Promise<Identity> {
  const { binaries, home } = options;
  if (process.geteuid?.() !== 0) return sameUser(binaries.binDir);

  const user = unprivilegedUser(home);
  const failures: string[] = [];
  const dropped = droppedUser(binaries.binDir, user);
  const reach = await probe(dropped, home);
  if (reach === null) return dropped;
  failures.push(`as uid ${user.uid}: ${reach}`);

  if (options.userNamespace ?? true) {
    const namespaced = inUserNamespace(binaries.binDir);
    const reachInNamespace = await probe(namespaced, home);
    if (reachInNamespace === null) return namespaced;
    failures.push(`in a user namespace: ${reachInNamespace}`);
  }

  if (binaries.root !== null) {
    const copy = await copyToCache(binaries.root, binaries.label, options.cacheDir);
    const fromCopy = droppedUser(join(copy, "bin"), user);
    const reachFromCopy = await probe(fromCopy, home);
    if (reachFromCopy === null) return fromCopy;
    failures.push(`as uid ${user.uid} with binaries copied to ${copy}: ${reachFromCopy}`);
  }
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `Postgres does not run as root, and no other identity can use ${binaries.binDir} and ${home}: ${failures.join("; ")}. Start as an ordinary user, choose a \`dataDir\` that other users can enter, or set DATABASE_URL.`,
    { context: { home, binDir: binaries.binDir } },
  );
}

/** Gives a tree to the identity. Only root can and needs to. */
export async function giveTo(identity: Identity, path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const info = lstatSync(path);
  if (info.uid !== identity.uid) await lchown(path, identity.uid, identity.gid);
  if (!info.isDirectory()) return;
  for (const name of readdirSync(path)) await giveTo(identity, join(path, name));
}

function sameUser(binDir: string): Identity {
  return {
    binDir,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    command: (program, args) => ({ file: join(binDir, program), args }),
  };
}

function droppedUser(binDir: string, user: { uid: number; gid: number }): Identity {
  return {
    binDir,
    ...user,
    command: (program, args) => ({ file: join(binDir, program), args, ...user }),
  };
}

// Inside, root's files belong to uid 65534, and Postgres sees itself running as that.
function inUserNamespace(binDir: string): Identity {
  const map = ["--user", "--map-user=65534", "--map-group=65534"];
  return {
    binDir,
    uid: 0,
    gid: 0,
    command: (program, args) => ({
      file: "unshare",
      args: [...map, join(binDir, program), ...args],
    }),
  };
}

/** `null` when the identity can enter the directory and load the program, else why not. */
async function probe(identity: Identity, home: string): Promise<string | null> {
  const { args, file, ...user } = identity.command("postgres", ["--version"]);
  const script = 'cd "$1" || exit 9; shift; exec "$@"';
  const command: Command = {
    file: "/bin/sh",
    args: ["-c", script, "sh", home, file, ...args],
    ...user,
  };
  // In a namespace the directory is entered by root before it changes its name, with the same rights.
  const { exitCode, output } = await run(command, { timeoutMs: 10_000 });
  return exitCode === 0 ? null : output.trim().split("\n").slice(-1)[0] || `exit code ${exitCode}`;
}

/** The owner of an existing cluster, so that its files stay readable; otherwise `nobody`. Users are never created. */
function unprivilegedUser(home: string): { uid: number; gid: number } {
  const pgdata = join(home, "cluster", "data");
  if (existsSync(pgdata)) {
    const { uid, gid } = statSync(pgdata);
    if (uid !== 0) return { uid, gid };
  }
  const nobody = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[0] === "nobody");
  return { uid: Number(nobody?.[2] ?? 65534), gid: Number(nobody?.[3] ?? 65534) };
}
