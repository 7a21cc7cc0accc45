import { detectStaleTasks, reconcileMessages, type StalenessRound } from "../db/functions/index.js";
import type { Pool } from "../db/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";

export interface MaintenanceSettings {
  readonly reconcileIntervalMs: number;
  /** Null: staleness detection is switched off. */
  readonly staleness: (StalenessRound & { readonly intervalMs: number }) | null;
}

export interface MaintenanceDeps {
  readonly pool: Pool;
  readonly settings: MaintenanceSettings;
  readonly onTaskRested: (task: { readonly taskId: bigint; readonly state: string }) => void;
  readonly logger: Logger;
}

/** In tasks. */
const RECONCILE_PAGE = 1000;
/** Of a backlog longer than this the rest is looked at in the next round. */
const RECONCILE_PAGES = 10;

/**
 * What nobody's result sets off: giving up tasks that stand still, and queue messages that were lost. Any number of
 * hosts may run this; each job has one at work at a time.
 */
export class MaintenanceLoop {
  readonly name = "maintenance";
  readonly #deps: MaintenanceDeps;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #reconcileAfter = 0n;

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { reconcileIntervalMs, staleness } = this.#deps.settings;
    this.#running = Promise.all([
      this.#every(reconcileIntervalMs, "lost queue messages", () => this.#reconcile()),
      staleness === null
        ? undefined
        : this.#every(staleness.intervalMs, "stale tasks", () => this.#giveUpStale(staleness)),
    ]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #every(intervalMs: number, what: string, job: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await delay(intervalMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await job();
      } catch (error) {
        this.#deps.logger.error({ err: error }, `the look for ${what} failed and is repeated`);
      }
    }
  }

  async #reconcile(): Promise<void> {
    const { pool, logger } = this.#deps;
    let repaired = 0;
    for (let page = 0; page < RECONCILE_PAGES && !this.#stopping.signal.aborted; page += 1) {
      const found = await reconcileMessages(pool, RECONCILE_PAGE, this.#reconcileAfter);
      repaired += found.repaired;
      this.#reconcileAfter = found.nextAfter;
      if (found.nextAfter === 0n) break;
    }
    if (repaired > 0) {
      logger.warn({ steps: repaired }, "steps had no message in their queue and got one again");
    }
  }

  async #giveUpStale(round: StalenessRound): Promise<void> {
    const { pool, logger, onTaskRested } = this.#deps;
    for (const found of await detectStaleTasks(pool, round)) {
      logger.warn(
        {
          task_uuid: found.taskUuid,
          from_state: found.fromState,
          minutes_in_state: found.minutesInState,
          action: found.action,
        },
        `task ${found.task} stood still for longer than its limits allow`,
      );
      if (found.wasEnded) onTaskRested({ taskId: found.taskId, state: "error" });
    }
  }
}
