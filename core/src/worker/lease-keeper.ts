import { type HeldStep, renewLeases } from "../db/functions/index.js";
import type { PumpLink } from "../db/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";
import { type SharedHoldings, sharedNowMs } from "./lease-guard/index.js";
import type { Ledger } from "./ledger.js";

export interface LeaseKeeperOptions {
  readonly link: PumpLink;
  readonly ledger: Ledger;
  readonly workerId: number;
  readonly leaseMs: number;
  readonly logger: Logger;
  /** Where the lease guard sees that this one is at work. */
  readonly holdings: SharedHoldings | null;
}

const STEPS_PER_CALL = 500;

/** Renews, at a third of the lease, everything this host holds; steps that it has lost are cancelled. */
export class LeaseKeeper {
  readonly name = "lease-keeper";
  readonly #options: LeaseKeeperOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#seen();
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await delay(this.#options.leaseMs / 3, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#renew();
        this.#seen();
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.error({ err: error }, "leases could not be renewed");
      }
    }
  }

  #seen(): void {
    const { holdings } = this.#options;
    if (holdings !== null) holdings.renewedAtMs = sharedNowMs();
  }

  async #renew(): Promise<void> {
    const { link, ledger, workerId, leaseMs, logger } = this.#options;
    const held = ledger.held();
    // An empty call still says that the worker lives.
    for (const chunk of chunks(held, STEPS_PER_CALL)) {
      const lost = await link.call((db) => renewLeases(db, workerId, chunk, leaseMs));
      const tokens = new Map(ledger.held().map((step) => [step.stepId, step.token]));
      for (const stepId of lost) {
        const asked = chunk.find((step) => step.stepId === stepId);
        // Answered while the call was under way: not lost but done.
        if (asked === undefined || tokens.get(stepId) !== asked.token) continue;
        logger.warn(
          { step_id: stepId.toString() },
          "a step was taken away: another worker has it, or an operator ended it",
        );
        ledger.takeAway(stepId, "lease_lost");
      }
    }
  }
}

function chunks(held: readonly HeldStep[], size: number): HeldStep[][] {
  if (held.length === 0) return [[]];
  return Array.from({ length: Math.ceil(held.length / size) }, (_, i) =>
    held.slice(i * size, (i + 1) * size),
  );
}
