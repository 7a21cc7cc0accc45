import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseError } from "../errors/index.js";
import { type ClusterPaths, lastLines } from "./cluster.js";
import { readClusterState } from "./postmaster-pid.js";
import type { Command } from "./run.js";
import { startWatchdog } from "./watchdog.js";

const POLL_MS = 5;
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** A server process of ours that accepts connections. */
export interface Postmaster {
  readonly pid: number;
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** Why no server came up, when trying again makes sense. */
export type LaunchRefusal = "cluster-in-use" | "port-taken" | "old-backends";

/**
 * Starts the server and waits until it accepts connections.
 *
 * @throws DatabaseError `DATABASE_START_FAILED` with the last lines of its log.
 */
export async function launchPostmaster(
  command: Command,
  paths: ClusterPaths,
  signal: AbortSignal,
): Promise<Postmaster | LaunchRefusal> {
  const logStart = prepareLog(paths.log);
  const watchdog = startWatchdog(paths.pgdata);
  const child = spawnServer(command, paths.log);
  // Same turn as the spawn: from here on the server cannot outlive us.
  if (child.pid !== undefined) watchdog.guard(child.pid);
  let running = true;
  const exited = new Promise<void>((resolve) => {
    const end = (): void => {
      running = false;
      watchdog.release();
      resolve();
    };
    child.once("exit", end);
    child.once("error", end);
  });
  const stop = async (): Promise<void> => {
    // An event loop with nothing else to do must still wait for the end.
    child.ref();
    if (running) child.kill("SIGINT");
    watchdog.release();
    await exited;
    await watchdog.exited;
  };

  try {
    while (running) {
      const state = await readClusterState(paths.pgdata);
      if (state.kind === "up" && state.file.pid === child.pid && state.file.status === "ready") {
        return { pid: state.file.pid, exited, stop };
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  await watchdog.exited;
  return refusal(command, paths, readFileSync(paths.log, "utf8").slice(logStart));
}

function spawnServer(command: Command, log: string): ChildProcess {
  const { file, args, ...user } = command;
  const output = openSync(log, "a", 0o600);
  try {
    const child = spawn(file, args, {
      ...user,
      cwd: "/",
      // A session of its own: Ctrl-C must reach us first, not the server while work still drains.
      detached: true,
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", output, output],
    });
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

function prepareLog(log: string): number {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= MAX_LOG_BYTES) return size;
  truncateSync(log, 0);
  return 0;
}

function refusal(command: Command, paths: ClusterPaths, log: string): LaunchRefusal {
  if (/lock file "postmaster\.pid" (already exists|is empty)/.test(log)) return "cluster-in-use";
  if (/could not bind|could not create any TCP\/IP sockets/.test(log)) return "port-taken";
  // A server was killed and its backends have not noticed yet; they do within a second.
  if (/pre-existing shared memory block/.test(log)) return "old-backends";
  throw new DatabaseError(
    "DATABASE_START_FAILED",
    `Postgres (${command.file}) ended while starting on ${paths.pgdata}. Last lines of ${paths.log}:\n${lastLines(log)}`,
    { context: { dataDir: paths.dataDir } },
  );
}
