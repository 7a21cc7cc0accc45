import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import type { Clock } from "../lib/clock.js";
import { createDeferred } from "../lib/deferred.js";
import type { Logger } from "../observability/index.js";
import { LineLimit, OutputLines } from "./output-lines.js";

export interface PeerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface PeerExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The process could not be started at all. */
  readonly spawnError: Error | null;
  readonly uptimeMs: number;
}

/** What carries the frames of one handler process, from the host's side. {@link PeerProcess} is the usual one. */
export interface PeerCarrier {
  /** Undefined where there is no process of its own. */
  readonly pid: number | undefined;
  readonly channel: Duplex;
  /** Settles once, never rejects. */
  readonly exited: Promise<PeerExit>;
  /** The last lines of what it said about itself, oldest first. */
  readonly stderrTail: readonly string[];
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

const STDERR_TAIL = 20;

/**
 * A handler process in a process group of its own, with the bridge on fd 3. What it prints becomes log records.
 * Whoever spawned it calls {@link kill}, unless it exits by itself; its group is killed then, so no pool worker stays.
 */
export class PeerProcess implements PeerCarrier {
  readonly pid: number | undefined;
  /** fd 3, full duplex: Node makes a socket pair for `pipe`. */
  readonly channel: Duplex;
  /** Settles once, never rejects. */
  readonly exited: Promise<PeerExit>;
  readonly #child: ChildProcess;
  readonly #stderrTail: string[] = [];
  #hasExited = false;

  constructor(options: PeerProcessOptions) {
    const { clock } = options;
    const startedAtMs = clock.nowMs();
    const exited = createDeferred<PeerExit>();
    this.#child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env, TASKER_BRIDGE: "fd:3" },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    this.pid = this.#child.pid;
    this.channel = this.#child.stdio[3] as Duplex; // a socket, because stdio[3] is "pipe"
    this.exited = exited.promise;
    const finish = (exit: Omit<PeerExit, "uptimeMs">): void => {
      this.#hasExited = true;
      // Also after a clean exit: a worker of the process's own pool would otherwise live on.
      this.#signalGroup("SIGKILL");
      exited.resolve({ ...exit, uptimeMs: Math.round(clock.nowMs() - startedAtMs) });
    };
    this.#child.once("error", (spawnError) => {
      if (this.pid === undefined) finish({ exitCode: null, signal: null, spawnError });
    });
    this.#child.once("exit", (exitCode, signal) => finish({ exitCode, signal, spawnError: null }));
    const limit = new LineLimit(clock);
    this.#readLines(this.#child.stdout, "stdout", options.logger, limit);
    this.#readLines(this.#child.stderr, "stderr", options.logger, limit);
  }

  /** The last lines of stderr, oldest first: why it died is usually there. */
  get stderrTail(): readonly string[] {
    return this.#stderrTail;
  }

  /** Signals the whole group. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (!this.#hasExited) this.#signalGroup(signal);
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // ESRCH: nobody is left in the group, which is what was wanted.
    }
  }

  #readLines(
    stream: Readable | null,
    name: "stdout" | "stderr",
    logger: Logger,
    limit: LineLimit,
  ): void {
    const lines = new OutputLines((line) => {
      if (name === "stderr") {
        this.#stderrTail.push(line);
        if (this.#stderrTail.length > STDERR_TAIL) this.#stderrTail.shift();
      }
      const { isAdmitted, droppedBefore } = limit.admit();
      if (droppedBefore > 0) {
        logger.warn(
          { dropped: droppedBefore },
          "handler process printed too fast; lines were dropped",
        );
      }
      if (isAdmitted) logger.info({ stream: name }, line);
    });
    stream?.on("data", (chunk: Uint8Array) => lines.push(chunk));
    stream?.once("end", () => lines.end());
    stream?.on("error", () => undefined); // The exit event says what happened.
  }
}

/** One line for messages: how it ended, after how long, and the end of its stderr. */
export function describeExit(exit: PeerExit, stderrTail: readonly string[]): string {
  const how =
    exit.spawnError !== null
      ? `could not be started (${exit.spawnError.message})`
      : exit.signal !== null
        ? `was killed by ${exit.signal} after ${exit.uptimeMs} ms`
        : `exited with code ${exit.exitCode} after ${exit.uptimeMs} ms`;
  const tail = stderrTail.filter((line) => line.trim() !== "").slice(-5);
  return tail.length === 0 ? how : `${how}; stderr ended: ${tail.join(" | ")}`;
}
