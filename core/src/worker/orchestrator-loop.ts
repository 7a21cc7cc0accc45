import {
  markWorkerIdle,
  processStepResults,
  type TickOutcome,
  wakeIdleWorkers,
} from "../db/functions/index.js";
import type { PumpLink } from "../db/index.js";
import { Listeners } from "../lib/listeners.js";
import { WakeSignal } from "../lib/wake-signal.js";
import type { Logger } from "../observability/index.js";

/** Stands for the orchestration queues where idle hosts say what they wait for: no namespace has this id. */
export const ORCHESTRATION = 0;

export interface OrchestratorDeps {
  readonly link: PumpLink;
  readonly workerId: number;
  /** Namespaces whose workers are woken when steps became ready. */
  readonly namespaceIds: () => number[];
  readonly settings: {
    readonly batchSize: number;
    readonly pollIntervalMs: number;
    readonly timerLimit: number;
  };
  readonly logger: Logger;
}

/**
 * Split mode, orchestrator side: settles the results that workers have submitted, a batch per commit, and wakes due
 * retries. Any number of these may run; what one has taken the others do not see.
 */
export class OrchestratorLoop {
  readonly name = "orchestrator";
  readonly #deps: OrchestratorDeps;
  readonly #wake = new WakeSignal();
  readonly #rested = new Listeners<[{ readonly taskId: bigint; readonly state: string }]>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Asked for a wake-up that nobody has taken up yet: stands while results are settled, too. */
  #isMarkedIdle = false;
  #hasFoundSinceMark = false;
  #settled = 0;

  constructor(deps: OrchestratorDeps) {
    this.#deps = deps;
  }

  /** Results settled since the start. */
  get settledCount(): number {
    return this.#settled;
  }

  /** There may be results. */
  requestScan(): void {
    this.#isMarkedIdle = false;
    this.#wake.wake();
  }

  onTaskRested(
    listener: (task: { readonly taskId: bigint; readonly state: string }) => void,
  ): () => void {
    return this.#rested.add(listener);
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { settings, logger } = this.#deps;
    while (!this.#stopping.signal.aborted) {
      try {
        // A wake-up that came after its results had been found: no hurry, and with the flag first this is the last look.
        if (this.#hasFoundSinceMark && !this.#isMarkedIdle) await this.#markIdle();
        const outcome = await this.#process();
        if (outcome.scanned >= settings.batchSize) continue;
        if (!this.#isMarkedIdle) await this.#markIdle();
        else if (outcome.scanned === 0) await this.#sleep(outcome.nextTimerMs);
      } catch (error) {
        logger.error({ err: error }, "the orchestrator failed on a batch and goes on");
        await this.#wake.wait(settings.pollIntervalMs);
      }
    }
  }

  async #process(): Promise<TickOutcome> {
    const { link, workerId, settings } = this.#deps;
    const outcome = await link.call((db) =>
      processStepResults(db, workerId, settings.batchSize, settings.timerLimit),
    );
    this.#settled += outcome.scanned;
    if (outcome.scanned > 0) this.#hasFoundSinceMark = true;
    for (const task of outcome.restedTasks) this.#rested.notify(task);
    if (outcome.queued > 0) {
      await link.call((db) => wakeIdleWorkers(db, workerId, this.#deps.namespaceIds()));
    }
    return outcome;
  }

  /** The flag first, then one more look, then sleep: what is made visible in between is not missed. */
  async #markIdle(): Promise<void> {
    const { link, workerId } = this.#deps;
    this.#isMarkedIdle = true;
    this.#hasFoundSinceMark = false;
    await link.call((db) => markWorkerIdle(db, workerId, [ORCHESTRATION]));
  }

  async #sleep(nextTimerMs: number | null): Promise<void> {
    const { pollIntervalMs } = this.#deps.settings;
    await this.#wake.wait(Math.min(pollIntervalMs, nextTimerMs ?? Infinity));
  }
}
