import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Logger } from "../../observability/index.js";
import { SharedHoldings } from "./shared-holdings.js";
import type { GuardData } from "./thread.js";

export interface LeaseGuardOptions extends Omit<GuardData, "buffer" | "workerId"> {
  /** How long after its time a step is still held: its answer may be on the way. */
  readonly graceMs: number;
  readonly logger: Logger;
}

/** Steps that can be kept at once; a place costs 24 bytes. */
const MAX_STEPS = 16_384;

/**
 * Keeps the leases of a host whose event loop stands still: a TypeScript handler that computes for longer than the lease
 * would lose its own step and everybody else's. Ends with the deadlines of the steps.
 */
export class LeaseGuard {
  readonly name = "lease-guard";
  /** What the host holds, written by it and read by the thread. */
  readonly holdings: SharedHoldings;
  readonly #buffer = SharedHoldings.allocate(MAX_STEPS);
  readonly #options: LeaseGuardOptions;
  #thread: Worker | undefined;
  #renewals = 0;

  constructor(options: LeaseGuardOptions) {
    this.#options = options;
    this.holdings = new SharedHoldings(this.#buffer, options.graceMs);
  }

  /** How often the host was too busy to renew. */
  get renewalCount(): number {
    return this.#renewals;
  }

  async start(workerId: number): Promise<void> {
    const { url, leaseMs, logger } = this.#options;
    const thread = startThread({ buffer: this.#buffer, url, workerId, leaseMs });
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
