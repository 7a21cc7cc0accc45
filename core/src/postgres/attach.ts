import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "../errors/index.js";
import type { ClusterPaths } from "./cluster.js";
import { clusterUrl, ensureDatabase, withClient } from "./connect.js";
import { disownPid, type PostmasterFile, readClusterState } from "./postmaster-pid.js";
import type { PostgresServer } from "./types.js";

const POLL_MS = 20;

/**
 * Attaches to the server that runs on this cluster. One that is starting or stopping is waited for; `null` means that
 * nothing runs and the caller may start a server.
 *
 * @throws the signal's reason when it aborts first.
 */
export async function attachToRunning(
  paths: ClusterPaths,
  database: string,
  signal: AbortSignal,
): Promise<PostgresServer | null> {
  for (;;) {
    signal.throwIfAborted();
    const state = await readClusterState(paths.pgdata);
    if (state.kind === "down") return null;
    if (state.kind === "pid-reused") {
      await disownPid(paths.pgdata, state.text);
      return null;
    }
    const server =
      state.file.status === "ready" ? await tryAttach(paths, state.file, database) : null;
    if (server !== null) return server;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** `null` when the server is about to stop. */
async function tryAttach(
  paths: ClusterPaths,
  file: PostmasterFile,
  database: string,
): Promise<PostgresServer | null> {
  try {
    await ensureDatabase(paths, file.port, database);
    const url = await clusterUrl(paths, file.port, database);
    const version = await withClient(url, async (client) => {
      const { rows } = await client.query<{ server_version: string }>("show server_version");
      return rows[0]?.server_version ?? "";
    });
    return {
      url,
      version,
      pid: file.pid,
      port: file.port,
      attached: true,
      source: null,
      exited: new Promise<never>(() => undefined),
      // The owner stops it: a guest that did would take the database from everybody else.
      stop: async () => undefined,
    };
  } catch (error) {
    if (isGoingAway(error)) return null;
    throw new DatabaseError(
      "DATABASE_START_FAILED",
      `A Postgres server (pid ${file.pid}, port ${file.port}) runs on ${paths.pgdata} but does not let us in. Stop it, or choose another \`dataDir\`.`,
      { cause: error, context: { dataDir: paths.dataDir, pid: file.pid, port: file.port } },
    );
  }
}

const GOING_AWAY = new Set(["ECONNREFUSED", "ECONNRESET", "57P01", "57P02", "57P03"]);

function isGoingAway(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return GOING_AWAY.has(code ?? "") || /terminated unexpectedly/i.test(message ?? "");
}
