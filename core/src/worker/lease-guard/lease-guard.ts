import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../observability/index.js";
import type { GuardData } from "./thread.js";

export interface LeaseGuardOptions extends GuardData {
  readonly logger: Logger;
}

/**
 * Keeps the leases of a host whose event loop stands still: a TypeScript handler that computes for longer than the lease
 * would lose its own step and everybody else's. Ends with the deadlines of the steps.
 */
export class LeaseGuard {
  readonly name = "lease-guard";
  readonly #options: LeaseGuardOptions;
  #thread: Worker | undefined;
  #renewals = 0;

  constructor(options: LeaseGuardOptions) {
    this.#options = options;
  }

  /** How often the host was too busy to renew. */
  get renewalCount(): number {
    return this.#renewals;
  }

  async start(): Promise<void> {
    const { buffer, url, workerId, leaseMs, logger } = this.#options;
    const workerData: GuardData = { buffer, url, workerId, leaseMs };
    const thread = startThread(workerData);
    this.#thread = thread;
    thread.unref();
    thread.on("message", ({ renewed }: { renewed: number }) => {
      this.#renewals += 1;
      logger.warn(
        { steps: renewed },
        "the event loop stood still for half a lease: a TypeScript handler computes for long",
      );
    });
    thread.on("error", (error) => {
      this.#thread = undefined; // it has ended
      logger.error(
        { err: error },
        "the lease guard has failed: a handler that blocks may lose its step",
      );
    });
  }

  async stop(): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    const ended = new Promise<void>((settle) => thread.once("exit", () => settle()));
    thread.ref();
    thread.postMessage("stop");
    await ended;
  }
}

/** The built file beside the bundle; in a checkout that runs its sources, the source. */
function startThread(workerData: GuardData): Worker {
  const name = "tasker-lease-guard";
  const built = new URL("./lease-guard-thread.js", import.meta.url);
  if (existsSync(fileURLToPath(built))) return new Worker(built, { workerData, name });
  const [tsx, source] = [
    import.meta.resolve("tsx/esm/api"),
    new URL("./thread.ts", import.meta.url),
  ];
  const program = `import("${tsx}").then(({ register }) => (register(), import("${source}")))`;
  const execArgv = ["--conditions=@tasker-core/source"];
  return new Worker(program, { eval: true, workerData, execArgv, name });
}
