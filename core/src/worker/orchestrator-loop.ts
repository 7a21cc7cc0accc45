import { processStepResults, type TickOutcome, wakeIdleWorkers } from "../db/functions/index.js";
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
        // Asking for a wake-up is part of the call; the look after its commit is the last one before sleep.
        const isMarking = !this.#isMarkedIdle;
        const outcome = await this.#process(isMarking);
        if (outcome.scanned === 0 && !isMarking) await this.#sleep(outcome.nextTimerMs);
      } catch (error) {
        this.#isMarkedIdle = false;
        logger.error({ err: error }, "the orchestrator failed on a batch and goes on");
        await this.#wake.wait(settings.pollIntervalMs);
      }
    }
  }

  async #process(isMarking: boolean): Promise<TickOutcome> {
    const { link, workerId, settings } = this.#deps;
    const { batchSize, timerLimit } = settings;
    const namespaceIds = this.#deps.namespaceIds();
    // Before the call: a wake-up that comes while it returns takes the flag down again.
    if (isMarking) this.#isMarkedIdle = true;
    const outcome = await link.call((db) =>
      processStepResults(db, workerId, batchSize, timerLimit, namespaceIds, isMarking),
    );
    if (outcome.scanned >= batchSize) this.#isMarkedIdle &&= !isMarking; // a full page does not ask
    this.#settled += outcome.scanned;
    for (const task of outcome.restedTasks) this.#rested.notify(task);
    // A worker may have gone to sleep between the call's own look and its commit.
    if (outcome.queued > 0 && outcome.woken === 0) {
      await link.call((db) => wakeIdleWorkers(db, workerId, namespaceIds));
    }
    return outcome;
  }

  async #sleep(nextTimerMs: number | null): Promise<void> {
    const { pollIntervalMs } = this.#deps.settings;
    await this.#wake.wait(Math.min(pollIntervalMs, nextTimerMs ?? Infinity));
  }
}
