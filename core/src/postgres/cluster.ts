import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DatabaseError } from "../errors/index.js";
import { majorOf, type PostgresBinaries } from "./binaries.js";
import { giveTo, type Identity } from "./identity.js";
import { run } from "./run.js";

export const SUPERUSER = "tasker";

/** Where the parts of a cluster are. `cluster` appears in one rename, complete with its password. */
export interface ClusterPaths {
  readonly dataDir: string;
  /** Holds `cluster`: `dataDir` itself, or elsewhere when `dataDir/cluster` is a link (see `relocate.ts`). */
  readonly home: string;
  readonly cluster: string;
  readonly pgdata: string;
  readonly password: string;
  readonly log: string;
}

export function clusterPaths(dataDir: string): ClusterPaths {
  const root = resolve(dataDir);
  const inPlace = join(root, "cluster");
  const isLink = lstatSync(inPlace, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const cluster = isLink ? readlinkSync(inPlace) : inPlace;
  return {
    dataDir: root,
    home: dirname(cluster),
    cluster,
    pgdata: join(cluster, "data"),
    password: join(cluster, "password"),
    log: join(root, "postgres.log"),
  };
}

export async function prepareDirectory(paths: ClusterPaths): Promise<void> {
  await mkdir(paths.dataDir, { recursive: true });
  const ignore = join(paths.dataDir, ".gitignore");
  if (!existsSync(ignore)) await writeFile(ignore, "*\n");
}

/**
 * Creates the cluster unless it exists. Two processes may do this at once: each works in a directory of its own and the
 * first rename wins, so a start that was killed half-way leaves nothing that looks like a cluster.
 */
export async function initialise(
  paths: ClusterPaths,
  binaries: PostgresBinaries,
  identity: Identity,
  signal: AbortSignal,
): Promise<boolean> {
  if (existsSync(paths.cluster)) {
    await checkExisting(paths, binaries, identity);
    return false;
  }
  await removeAbandoned(paths.home);
  const aside = join(paths.home, `init-${process.pid}-${randomBytes(4).toString("hex")}`);
  const pgdata = join(aside, "data");
  const passwordForInitdb = join(aside, "initdb-password");
  const password = randomBytes(24).toString("hex");
  try {
    await mkdir(pgdata, { recursive: true });
    await writeFile(passwordForInitdb, password, { mode: 0o600 });
    await giveTo(identity, pgdata);
    await giveTo(identity, passwordForInitdb);
    await initdb(binaries, identity, pgdata, passwordForInitdb, signal);
    await rm(passwordForInitdb);
    await writeFile(join(aside, "password"), password, { mode: 0o600 });
    await rename(aside, paths.cluster);
    return true;
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Makes a new cluster survive a crash of the machine: `initdb` leaves its files to the page cache, and the server syncs
 * only what it writes itself. Runs beside the start, which it would slow down by a fifth.
 */
export async function syncToDisk(identity: Identity, pgdata: string): Promise<void> {
  const command = identity.command("initdb", ["--sync-only", "-D", pgdata]);
  const { exitCode, output } = await run(command, { timeoutMs: 60_000 });
  if (exitCode === 0) return;
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `The new cluster ${pgdata} could not be written to disk: ${lastLines(output)}`,
    { context: { pgdata } },
  );
}

export async function readPassword(paths: ClusterPaths): Promise<string> {
  try {
    return (await readFile(paths.password, "utf8")).trim();
  } catch (cause) {
    throw new DatabaseError(
      "DATABASE_START_FAILED",
      `The cluster in ${paths.dataDir} cannot be used: its password file ${paths.password} is not readable. Run as the user who created it (uid ${ownerOf(paths.cluster)}), or choose another \`dataDir\`.`,
      { cause, context: { dataDir: paths.dataDir } },
    );
  }
}

/** The port of the last run: keeping it keeps urls that somebody copied. */
export function lastPort(paths: ClusterPaths): number | undefined {
  try {
    const port = /"port=(\d+)"/.exec(readFileSync(join(paths.pgdata, "postmaster.opts"), "utf8"));
    return port?.[1] === undefined ? undefined : Number(port[1]);
  } catch {
    return undefined;
  }
}

async function initdb(
  binaries: PostgresBinaries,
  identity: Identity,
  pgdata: string,
  passwordFile: string,
  signal: AbortSignal,
): Promise<void> {
  // The builtin provider sorts the same on every machine; before 17 the C library has to do it.
  const locale =
    majorOf(binaries.version) >= 17
      ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
      : ["--locale=C.UTF-8"];
  const args = ["-D", pgdata, "-U", SUPERUSER, `--pwfile=${passwordFile}`, "-A", "scram-sha-256"];
  const { exitCode, output } = await run(
    identity.command("initdb", [...args, "--encoding=UTF8", ...locale, "--no-sync"]),
    { timeoutMs: 60_000, signal },
  );
  signal.throwIfAborted();
  if (exitCode === 0) return;
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `initdb of Postgres ${binaries.version} (${binaries.binDir}) failed with exit code ${exitCode}: ${lastLines(output)}`,
    { context: { pgdata, binDir: binaries.binDir } },
  );
}

export function lastLines(text: string, count = 8): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

async function checkExisting(
  paths: ClusterPaths,
  binaries: PostgresBinaries,
  identity: Identity,
): Promise<void> {
  const created = await readFile(join(paths.pgdata, "PG_VERSION"), "utf8").catch(
    (cause: unknown) => {
      throw new DatabaseError(
        "DATABASE_START_FAILED",
        `${paths.pgdata} is not readable as a Postgres data directory. Run as the user who created it (uid ${ownerOf(paths.pgdata)}), or remove ${paths.dataDir} to start empty.`,
        { cause, context: { dataDir: paths.dataDir } },
      );
    },
  );
  if (majorOf(created) !== majorOf(binaries.version)) {
    throw new DatabaseError(
      "DATABASE_START_FAILED",
      `The cluster in ${paths.dataDir} was created by Postgres ${created.trim()}, but the programs found are ${binaries.version} (${binaries.source}: ${binaries.binDir}). Install Postgres ${created.trim()}, or dump, remove the directory and restore.`,
      { context: { dataDir: paths.dataDir } },
    );
  }
  // An earlier start may have used another way of not being root.
  if ((await stat(paths.pgdata)).uid !== identity.uid) await giveTo(identity, paths.pgdata);
}

const ABANDONED_AFTER_MS = 10 * 60_000;

async function removeAbandoned(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith("init-")) continue;
    const path = join(home, name);
    const info = await stat(path).catch(() => null);
    if (info === null || Date.now() - info.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

function ownerOf(path: string): string {
  return String(statSync(path, { throwIfNoEntry: false })?.uid ?? "unknown");
}
