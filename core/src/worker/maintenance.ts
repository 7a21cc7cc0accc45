import {
  detectStaleTasks,
  firstOpenTask,
  reconcileMessages,
  reconcileTasks,
  type StalenessRound,
} from "../db/functions/index.js";
import type { Pool } from "../db/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";
import { Retention, type RetentionSettings } from "./retention.js";

export interface MaintenanceSettings {
  /** Null: left to other hosts. */
  readonly reconcileIntervalMs: number | null;
  /** Null: staleness detection is switched off. */
  readonly staleness: (StalenessRound & { readonly intervalMs: number }) | null;
  /** Null: finished tasks are kept for ever. */
  readonly retention: RetentionSettings | null;
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

/** What the reconciler has repaired since the start. */
export interface Repairs {
  /** Steps whose queue message was lost. */
  readonly messages: number;
  /** Stored results whose message to the orchestrators was lost. */
  readonly results: number;
  readonly timers: number;
  /** Steps that should have been sent and were not: a defect of ours, or of whoever edited the tables. */
  readonly forgottenSteps: number;
}

/**
 * What nobody's result sets off: giving up tasks that stand still, repairing what was lost, and deleting what is old. Any
 * number of hosts may run this; each job has one at work at a time.
 */
export class MaintenanceLoop {
  readonly name = "maintenance";
  readonly #deps: MaintenanceDeps;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  /** The first task that was not final when last looked at: all before it are. */
  #firstOpen = 0n;
  #messagesAfter = 0n;
  #tasksAfter = 0n;
  #repairs: Repairs = { messages: 0, results: 0, timers: 0, forgottenSteps: 0 };

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps;
  }

  get repairs(): Repairs {
    return this.#repairs;
  }

  async start(): Promise<void> {
    const { pool, logger, settings } = this.#deps;
    const { reconcileIntervalMs, staleness, retention } = settings;
    this.#running = Promise.all([
      reconcileIntervalMs === null
        ? undefined
        : this.#every(reconcileIntervalMs, "lost queue messages", () => this.#reconcile()),
      staleness === null
        ? undefined
        : this.#every(staleness.intervalMs, "stale tasks", () => this.#giveUpStale(staleness)),
      retention === null
        ? undefined
        : this.#retain(new Retention({ pool, settings: retention, logger }), retention),
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

  async #retain(retention: Retention, { intervalMs }: RetentionSettings): Promise<void> {
    await this.#every(intervalMs, "old tasks", () => retention.run(this.#stopping.signal));
  }

  async #reconcile(): Promise<void> {
    const { pool, logger } = this.#deps;
    const firstOpen = await firstOpenTask(pool, this.#firstOpen);
    if (firstOpen === null) return;
    this.#firstOpen = firstOpen;
    const found = { messages: 0, results: 0, timers: 0, forgottenSteps: 0 };
    this.#messagesAfter = await this.#pages(this.#messagesAfter, async (after) => {
      const page = await reconcileMessages(pool, RECONCILE_PAGE, after);
      found.messages += page.steps;
      found.results += page.results;
      return page.nextAfter;
    });
    this.#tasksAfter = await this.#pages(this.#tasksAfter, async (after) => {
      const page = await reconcileTasks(pool, RECONCILE_PAGE, after);
      found.timers += page.timers;
      found.forgottenSteps += page.steps;
      return page.nextAfter;
    });
    const { messages, results, timers, forgottenSteps } = this.#repairs;
    this.#repairs = {
      messages: messages + found.messages,
      results: results + found.results,
      timers: timers + found.timers,
      forgottenSteps: forgottenSteps + found.forgottenSteps,
    };
    if (found.messages + found.results + found.timers > 0) {
      logger.warn(found, "messages or timers of steps were lost and have been made again");
    }
    if (found.forgottenSteps > 0) {
      logger.error(
        { steps: found.forgottenSteps },
        "steps were ready to run and nobody had sent them; they have been sent. Tasker never leaves a step like this: please report it, unless the tables were edited by hand",
      );
    }
  }

  /** Goes on where the round before stopped; returns where the next one does. */
  async #pages(from: bigint, page: (after: bigint) => Promise<bigint>): Promise<bigint> {
    let after = from === 0n ? this.#firstOpen - 1n : from;
    for (let i = 0; i < RECONCILE_PAGES && !this.#stopping.signal.aborted; i += 1) {
      after = await page(after);
      if (after === 0n) break;
    }
    return after;
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
