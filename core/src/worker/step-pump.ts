import type { CompletionChannel, StepCompletion } from "../channels/index.js";
import {
  claimSteps,
  claimUnroutableSteps,
  markWorkerIdle,
  type StepReport,
  submitStepResults,
  type TickOutcome,
  tick,
  wakeIdleWorkers,
} from "../db/functions/index.js";
import type { PumpLink, Queryable } from "../db/index.js";
import { Listeners } from "../lib/listeners.js";
import { WakeSignal } from "../lib/wake-signal.js";
import type { LifecycleBus } from "../lifecycle/events/index.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import type { Logger } from "../observability/index.js";
import type { Dispatcher } from "./dispatcher.js";
import type { EventPublisher } from "./event-publisher.js";
import type { Ledger } from "./ledger.js";
import { ORCHESTRATION } from "./orchestrator-loop.js";
import type { PoolSet } from "./pool-set.js";
import type { ResultPlanner } from "./result-planner.js";
import { type Committed, ResultWriter } from "./result-writer.js";
import type { TaskCache } from "./task-cache.js";
import type { WorkerMeter } from "./worker-meter.js";
import { type Ended, type Yielded, YieldWriter } from "./yield-writer.js";

export interface PumpSettings {
  /** Results per call at most. */
  readonly batchSize: number;
  /** How long to sleep at most before the queues are looked at without a hint. */
  readonly pollIntervalMs: number;
  /** Quiet time before other workers are asked for a wake-up. */
  readonly idleAfterMs: number;
  /** False: this host runs no steps. */
  readonly takesWork: boolean;
  /** Due retries per call at most; 0: they are left to other hosts. */
  readonly timerLimit: number;
  /** How often due retries are looked for that another host may have left behind. */
  readonly timerPollMs: number;
  readonly leaseMs: number;
  readonly maxDeaths: number;
  readonly handlerWaitMs: number;
  /** Entries of a step's checkpoint history to keep. */
  readonly checkpointHistoryLimit: number;
}

/**
 * `fused`: results are settled in the call that stores them. `split`: they are stored and handed to the orchestrators,
 * other processes on the same database.
 */
export type PumpMode = "fused" | "split";

export interface PumpDeps {
  readonly mode: PumpMode;
  readonly link: PumpLink;
  readonly completions: CompletionChannel;
  readonly pools: PoolSet;
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly registry: TemplateRegistry;
  readonly cache: TaskCache;
  readonly planner: ResultPlanner;
  readonly publisher: EventPublisher;
  readonly lifecycle: LifecycleBus;
  readonly workerId: number;
  readonly meter: WorkerMeter;
  readonly settings: PumpSettings;
  readonly logger: Logger;
}

/** Handlers that take no longer bring their results before the host asks for more work. */
const QUICK_HANDLER_MS = 5;

/**
 * The heart of a fused host: one call after the other, each with everything that has arrived meanwhile. Results go in,
 * what they made ready comes back leased and goes to the channels; between results it scans the queues.
 */
export class StepPump {
  readonly name = "step-pump";
  readonly #deps: PumpDeps;
  readonly #wake = new WakeSignal();
  readonly #rested = new Listeners<[{ readonly taskId: bigint; readonly state: string }]>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #dispatches = new Set<Promise<void>>();
  #stopListening: () => void = () => undefined;
  #isScanWanted = true;
  #isTakingWork: boolean;
  readonly #wakesRetries: boolean;
  /** This host has asked for a wake-up, and nobody has taken it up yet: it stands while the host works, too. */
  #isMarkedIdle = false;
  #isWoken = false;
  #hasFoundSinceMark = false;
  #nextTimerAt = 0;
  #nextPollAt = 0;
  readonly #writer: ResultWriter;
  readonly #yields: YieldWriter;
  #ticks = 0;
  #scans = 0;
  #claimed = 0;

  constructor(deps: PumpDeps) {
    this.#deps = deps;
    this.#isTakingWork = deps.settings.takesWork;
    this.#writer = new ResultWriter({
      ...deps,
      commit: (reports) =>
        deps.mode === "split"
          ? this.#submit(reports)
          : this.#tick(reports, performance.now() >= this.#nextTimerAt),
    });
    // In split mode due retries are the orchestrators' business.
    this.#wakesRetries = deps.mode === "fused" && deps.settings.timerLimit > 0;
    if (!this.#wakesRetries) this.#nextTimerAt = Number.POSITIVE_INFINITY;
    this.#yields = new YieldWriter(deps);
  }

  get counts(): Readonly<
    Record<"ticks" | "scans" | "committed" | "stale" | "rejected" | "released" | "yielded", number>
  > {
    const { counts } = this.#writer;
    return { ticks: this.#ticks, scans: this.#scans, ...counts, ...this.#yields.counts };
  }

  /** Called after the commit in which a task came to rest: complete, blocked_by_failures or error. */
  onTaskRested(
    listener: (task: { readonly taskId: bigint; readonly state: string }) => void,
  ): () => void {
    return this.#rested.add(listener);
  }

  /** There may be something in the queues: a wake-up came, or an answer was lost. */
  requestScan(): void {
    this.#isScanWanted = true;
    this.#isMarkedIdle = false;
    this.#isWoken = true;
    this.#wake.wake();
  }

  /** Takes in what another call of this host brought (creating tasks hands out first steps too). */
  accept(outcome: TickOutcome, done: () => void): void {
    this.#apply(outcome, done);
    this.#wake.wake();
  }

  async start(): Promise<void> {
    this.#stopListening = this.#deps.completions.onArrival(() => this.#wake.wake());
    this.#running = this.#run();
  }

  /** Claims nothing more; results still go in until {@link stop}. */
  drain(): void {
    this.#isTakingWork = false;
  }

  /** Stores what has arrived, then stops. Steps without an answer are left to whoever drained the channels. */
  async stop(): Promise<void> {
    this.#isTakingWork = false;
    this.#stopping.abort();
    this.#wake.wake();
    await this.#running;
    await Promise.all(this.#dispatches);
    this.#stopListening();
  }

  async #run(): Promise<void> {
    const { settings, logger } = this.#deps;
    let quietSince = performance.now();
    for (;;) {
      try {
        if (await this.#turn()) quietSince = performance.now();
        else if (this.#stopping.signal.aborted) return;
        else await this.#sleep(performance.now() - quietSince);
      } catch (error) {
        logger.error({ err: error }, "the pump failed on a turn and goes on");
        await this.#wake.wait(settings.pollIntervalMs);
      }
    }
  }

  /** One call with the results at hand, and a scan of the queues when one is wanted. True when there was work. */
  async #turn(): Promise<boolean> {
    const { completions, settings, pools } = this.#deps;
    const batch = completions.takeAll(settings.batchSize);
    let hasWorked = batch.length > 0;
    const fromYields = await this.#yields.write(batch.filter(hasYielded));
    if ((await this.#writer.write([...batch.filter(hasEnded), ...fromYields])) > 0) {
      this.#isScanWanted = true;
    }
    if (performance.now() >= this.#nextTimerAt) (await this.#tick([], true)).handOut();
    if (performance.now() >= this.#nextPollAt) await this.#poll();
    if (this.#isScanWanted && this.#isTakingWork && pools.hasRoom) {
      // A wake-up that came after its work had been found: there is no hurry, and with the flag first this is the last look.
      if (this.#hasFoundSinceMark && this.#isWoken) await this.#markIdle();
      this.#isWoken = false;
      hasWorked = (await this.#scan()) || hasWorked;
    }
    return hasWorked || completions.size > 0;
  }

  async #sleep(quietMs: number): Promise<void> {
    const { settings, mode } = this.#deps;
    const idleAfterMs = mode === "split" ? this.#splitIdleAfterMs() : settings.idleAfterMs;
    if (quietMs >= idleAfterMs && !this.#isMarkedIdle) {
      // First the flag, then one more look, then sleep: a step made visible in between is not missed.
      await this.#markIdle();
      this.#isScanWanted = true;
      return;
    }
    const untilIdle = this.#isMarkedIdle ? Number.POSITIVE_INFINITY : idleAfterMs - quietMs + 1;
    const untilDue = Math.min(this.#nextTimerAt, this.#nextPollAt) - performance.now();
    await this.#wake.wait(Math.max(0, Math.min(untilIdle, untilDue)));
  }

  /**
   * In split mode every step comes from another process: to wait before asking for the wake-up is to wait for the step.
   * While handlers run, one that is quick asks with its result.
   */
  #splitIdleAfterMs(): number {
    const { ledger, settings } = this.#deps;
    return ledger.size === 0 ? 0 : Math.min(settings.idleAfterMs, QUICK_HANDLER_MS);
  }

  /** What no hint announces: steps whose wake-up was lost, and steps that nobody can run. */
  async #poll(): Promise<void> {
    const { link, workerId, settings } = this.#deps;
    this.#nextPollAt = performance.now() + settings.pollIntervalMs;
    this.#isScanWanted = true;
    const namespaceIds = this.#namespaceIds();
    if (namespaceIds.length === 0 || !this.#isTakingWork) return;
    const outcome = await link.call((db) =>
      claimUnroutableSteps(db, {
        workerId,
        namespaceIds,
        limit: settings.batchSize,
        leaseMs: settings.leaseMs,
        maxDeaths: settings.maxDeaths,
        handlerWaitMs: settings.handlerWaitMs,
      }),
    );
    this.#apply(outcome, () => undefined);
  }

  async #markIdle(): Promise<void> {
    const { link, workerId, pools } = this.#deps;
    const namespaces = this.#namespaceIds();
    this.#isMarkedIdle = true;
    this.#hasFoundSinceMark = false;
    if (namespaces.length === 0 || !this.#isTakingWork || !pools.servesAny) return;
    await link.call((db) => markWorkerIdle(db, workerId, namespaces));
  }

  /** With the last results in hand the wake-up for the next steps is asked for in the same commit. */
  async #submit(reports: readonly StepReport[]): Promise<Committed> {
    const { workerId, ledger, completions, pools } = this.#deps;
    this.#ticks += 1;
    const namespaceIds = this.#namespaceIds();
    const isLast = ledger.size <= reports.length && completions.size === 0;
    const isMarking =
      isLast &&
      !this.#isMarkedIdle &&
      this.#isTakingWork &&
      namespaceIds.length > 0 &&
      pools.servesAny;
    if (isMarking) {
      // Before the call: a wake-up that comes while it returns takes the flag down again.
      this.#isMarkedIdle = true;
      this.#hasFoundSinceMark = false;
      this.#isScanWanted = true;
    }
    try {
      const outcome = await this.#timed("submit", (db) =>
        submitStepResults(db, workerId, reports, isMarking ? namespaceIds : null),
      );
      return {
        outcome,
        handOut: () => {
          if (outcome.woken === 0) void this.#wakeOthers([ORCHESTRATION]);
        },
      };
    } catch (error) {
      if (isMarking) this.#isMarkedIdle = false;
      throw error;
    }
  }

  /** One commit: results in, what they made ready out, due retries woken. */
  async #tick(reports: readonly StepReport[], isTimerDue: boolean): Promise<Committed> {
    const { pools, workerId, settings } = this.#deps;
    // Each result gives a slot back and may make several steps ready; a quarter of the room is kept for a scan.
    const wanted = this.#isTakingWork ? reports.length * 2 + 16 : 0;
    const routes = pools.reserve(wanted, this.#isScanWanted ? 0.75 : 1);
    this.#ticks += 1;
    try {
      const outcome = await this.#timed("tick", (db) =>
        tick(db, {
          workerId,
          reports,
          routes,
          leaseMs: settings.leaseMs,
          timerLimit: isTimerDue ? settings.timerLimit : 0,
        }),
      );
      if (isTimerDue) this.#nextTimerAt = performance.now() + settings.timerPollMs;
      return { outcome, handOut: () => this.#apply(outcome, () => pools.giveBack(routes)) };
    } catch (error) {
      pools.giveBack(routes);
      throw error;
    }
  }

  /** True when it brought something. */
  async #scan(): Promise<boolean> {
    const { pools, workerId, settings } = this.#deps;
    const namespaceIds = this.#namespaceIds();
    this.#isScanWanted = false;
    if (namespaceIds.length === 0) return false;
    const routes = pools.reserve(settings.batchSize, 1);
    const limit = Math.max(1, Math.min(settings.batchSize, sum(routes.free)));
    this.#scans += 1;
    try {
      const outcome = await this.#timed("scan", (db) =>
        claimSteps(db, {
          workerId,
          namespaceIds,
          limit,
          routes,
          turn: this.#claimed,
          leaseMs: settings.leaseMs,
          maxDeaths: settings.maxDeaths,
        }),
      );
      this.#claimed += outcome.claims.length;
      pools.setWaitingClass(outcome.waitingClass);
      // A full page that brought something: there is probably more.
      if (outcome.scanned >= limit && outcome.claims.length > 0) this.#isScanWanted = true;
      this.#apply(outcome, () => pools.giveBack(routes));
      if (outcome.claims.length > 0) this.#hasFoundSinceMark = true;
      return outcome.claims.length > 0;
    } catch (error) {
      pools.giveBack(routes);
      throw error;
    }
  }

  async #timed<T>(
    call: Parameters<WorkerMeter["databaseCall"]>[0],
    work: (db: Queryable) => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    try {
      return await this.#deps.link.call(work);
    } finally {
      this.#deps.meter.databaseCall(call, performance.now() - startedAt);
    }
  }

  #apply(outcome: TickOutcome, done: () => void): void {
    const dispatch = this.#deps.dispatcher.dispatch(outcome.claims).finally(() => {
      done();
      this.#dispatches.delete(dispatch);
      this.#wake.wake();
    });
    this.#dispatches.add(dispatch);
    if (outcome.nextTimerMs !== null && this.#wakesRetries) {
      this.#nextTimerAt = Math.min(this.#nextTimerAt, performance.now() + outcome.nextTimerMs);
    }
    if (outcome.queued > 0) {
      this.#isScanWanted = true;
      // A hint: failing to give it costs a poll interval.
      if (outcome.woken === 0) void this.#wakeOthers(this.#namespaceIds());
    }
    for (const task of outcome.restedTasks) this.#rested.notify(task);
  }

  async #wakeOthers(namespaceIds: readonly number[]): Promise<void> {
    const { link, workerId, logger } = this.#deps;
    try {
      await link.call((db) => wakeIdleWorkers(db, workerId, namespaceIds));
    } catch (error) {
      logger.debug({ err: error }, "idle workers were not woken");
    }
  }

  #namespaceIds(): number[] {
    return [...this.#deps.registry.namespaces().keys()];
  }
}

function hasYielded(completion: StepCompletion): completion is Yielded {
  return completion.outcome.outcome === "yield";
}

function hasEnded(completion: StepCompletion): completion is Ended {
  return !hasYielded(completion);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
