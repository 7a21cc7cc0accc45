import type {
  CompletionChannel,
  StepCompletion,
  StepFailure,
  StepSuccess,
} from "../channels/index.js";
import {
  claimSteps,
  markWorkerIdle,
  type ReleasedStep,
  releaseSteps,
  type StepReport,
  type TickOutcome,
  tick,
  wakeIdleWorkers,
} from "../db/functions/index.js";
import { isDataError, type PumpLink } from "../db/index.js";
import { messageOf } from "../errors/index.js";
import { Listeners } from "../lib/listeners.js";
import { WakeSignal } from "../lib/wake-signal.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import { ordinalOf } from "../model/step-identity.js";
import type { Logger } from "../observability/index.js";
import type { Dispatcher } from "./dispatcher.js";
import type { Ledger } from "./ledger.js";
import type { PoolSet } from "./pool-set.js";
import { reportOf } from "./step-report.js";
import type { TaskCache } from "./task-cache.js";

export interface PumpSettings {
  /** Results per call at most. */
  readonly batchSize: number;
  /** How long to sleep at most before the queues are looked at without a hint. */
  readonly pollIntervalMs: number;
  /** Quiet time before other workers are asked for a wake-up. */
  readonly idleAfterMs: number;
  readonly timerLimit: number;
  /** How often due retries are looked for that another host may have left behind. */
  readonly timerPollMs: number;
  readonly leaseMs: number;
  readonly maxDeaths: number;
  readonly handlerWaitMs: number;
}

export interface PumpDeps {
  readonly link: PumpLink;
  readonly completions: CompletionChannel;
  readonly pools: PoolSet;
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly registry: TemplateRegistry;
  readonly cache: TaskCache;
  readonly workerId: number;
  readonly settings: PumpSettings;
  readonly logger: Logger;
}

/** A result ready for the database, with whom to tell. */
interface Entry {
  readonly completion: StepCompletion;
  readonly report: StepReport;
  /** Our own words in place of a result that could not be stored. */
  readonly isReplacement: boolean;
}

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
  #isTakingWork = true;
  /** This host has asked for a wake-up, and nobody has taken it up yet. */
  #isMarkedIdle = false;
  #nextTimerAt = 0;
  #counts = { ticks: 0, scans: 0, committed: 0, stale: 0, rejected: 0, released: 0 };

  constructor(deps: PumpDeps) {
    this.#deps = deps;
  }

  get counts(): Readonly<
    Record<"ticks" | "scans" | "committed" | "stale" | "rejected" | "released", number>
  > {
    return this.#counts;
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
    const isTimerDue = performance.now() >= this.#nextTimerAt;
    let hasWorked = batch.length > 0;
    if (batch.length > 0 || isTimerDue) await this.#tick(batch, isTimerDue);
    if (this.#isScanWanted && this.#isTakingWork && pools.hasRoom) {
      hasWorked = (await this.#scan()) || hasWorked;
    }
    if (hasWorked) this.#isMarkedIdle = false;
    return hasWorked || completions.size > 0;
  }

  async #sleep(quietMs: number): Promise<void> {
    const { settings } = this.#deps;
    const untilTimer = Math.max(0, this.#nextTimerAt - performance.now());
    if (quietMs < settings.idleAfterMs) {
      await this.#wake.wait(Math.min(untilTimer, settings.idleAfterMs - quietMs + 1));
      return;
    }
    if (!this.#isMarkedIdle) {
      // First the flag, then one more look, then sleep: a step made visible in between is not missed.
      await this.#markIdle();
      this.#isScanWanted = true;
      return;
    }
    const isWoken = await this.#wake.wait(Math.min(untilTimer, settings.pollIntervalMs));
    if (!isWoken) this.#isScanWanted = true;
  }

  async #markIdle(): Promise<void> {
    const { link, workerId } = this.#deps;
    const namespaces = this.#namespaceIds();
    this.#isMarkedIdle = true;
    if (namespaces.length === 0 || !this.#isTakingWork) return;
    await link.call((db) => markWorkerIdle(db, workerId, namespaces));
  }

  async #tick(batch: readonly StepCompletion[], isTimerDue: boolean): Promise<void> {
    const entries: Entry[] = [];
    const losses: StepCompletion[] = [];
    for (const completion of batch) {
      const entry = this.#entryOf(completion);
      if (entry === undefined) losses.push(completion);
      else entries.push(entry);
    }
    if (losses.length > 0) await this.#release(losses);
    for (const group of uniqueSteps(entries)) await this.#report(group, isTimerDue);
    if (entries.length === 0 && isTimerDue) await this.#report([], true);
  }

  /** Undefined for a delivery that was lost and may run again. */
  #entryOf(completion: StepCompletion): Entry | undefined {
    const { outcome, delivery } = completion;
    if (outcome.outcome !== "lost") {
      this.#deps.pools.observe(delivery.pool, outcome.executionMs);
      return entryWith(completion, outcome);
    }
    const template = this.#deps.registry.get(
      this.#deps.cache.task(delivery.taskId)?.templateId ?? -1,
    );
    const redeliver = template?.steps[ordinalOf(delivery.stepId)]?.redeliver ?? true;
    if (redeliver || outcome.reason === "drained") return undefined;
    const failure = rejectedOutcome(
      "worker_lost",
      `${outcome.message}; the step is marked redeliver: false`,
    );
    return entryWith(completion, failure);
  }

  /** Sends results; when the database blames their data, halves the batch until the culprit stands alone. */
  async #report(entries: readonly Entry[], isTimerDue: boolean): Promise<void> {
    const { link, pools, workerId, settings } = this.#deps;
    // Each result gives a slot back and may make several steps ready; a quarter of the room is kept for a scan.
    const wanted = this.#isTakingWork ? entries.length * 2 + 16 : 0;
    const routes = pools.reserve(wanted, this.#isScanWanted ? 0.75 : 1);
    this.#counts.ticks += 1;
    try {
      const outcome = await link.call((db) =>
        tick(db, {
          workerId,
          reports: entries.map((entry) => entry.report),
          routes,
          leaseMs: settings.leaseMs,
          timerLimit: isTimerDue ? settings.timerLimit : 0,
        }),
      );
      if (isTimerDue) this.#nextTimerAt = performance.now() + settings.timerPollMs;
      this.#settle(entries, outcome);
      this.#apply(outcome, () => pools.giveBack(routes));
    } catch (error) {
      pools.giveBack(routes);
      if (isDataError(error)) await this.#split(entries, isTimerDue, error);
      else this.#giveUp(entries, error);
    }
  }

  async #split(entries: readonly Entry[], isTimerDue: boolean, error: unknown): Promise<void> {
    const [first] = entries;
    if (entries.length > 1) {
      const middle = Math.ceil(entries.length / 2);
      await this.#report(entries.slice(0, middle), isTimerDue);
      await this.#report(entries.slice(middle), isTimerDue);
    } else if (first === undefined || first.isReplacement) {
      this.#giveUp(entries, error);
    } else {
      this.#counts.rejected += 1;
      const { completion } = first;
      const failure = rejectedOutcome(
        "invalid_result",
        `The database refused the result of step \`${completion.delivery.stepName}\`: ${messageOf(error)}`,
      );
      const report = reportOf(completion, failure);
      await this.#report([{ completion, report, isReplacement: true }], isTimerDue);
    }
  }

  /** Nothing more can be done with these here: their leases end, and the steps come back. */
  #giveUp(entries: readonly Entry[], error: unknown): void {
    const { ledger, logger } = this.#deps;
    for (const { completion, report } of entries) {
      ledger.remove(report.stepId, report.token);
      completion.settled("rejected");
    }
    logger.error({ err: error, steps: entries.length }, "results could not be stored");
  }

  #settle(entries: readonly Entry[], outcome: TickOutcome): void {
    const { ledger, cache, logger } = this.#deps;
    const verdicts = new Map(outcome.verdicts.map((verdict) => [verdict.stepId, verdict.status]));
    for (const { completion, report } of entries) {
      const status = verdicts.get(report.stepId) ?? "stale";
      this.#counts[status] += 1;
      if (status === "committed" && report.verdict === 0) {
        const epoch = cache.task(completion.delivery.taskId)?.dataEpoch ?? 0;
        cache.keepResult(report.stepId, epoch, Buffer.from(report.body).toString("utf8"));
      }
      if (status === "stale") {
        logger.warn(
          { step_uuid: completion.delivery.stepUuid, token: report.token },
          `a late result of step ${completion.delivery.stepName} was refused: its lease had moved on`,
        );
      }
      ledger.remove(report.stepId, report.token);
      completion.settled(status);
    }
  }

  async #release(losses: readonly StepCompletion[]): Promise<void> {
    const { link, ledger } = this.#deps;
    const released = losses.map(({ delivery, outcome }): ReleasedStep => {
      const died = outcome.outcome === "lost" && outcome.reason === "worker_lost";
      const alone = outcome.outcome === "lost" && outcome.alone;
      return {
        stepId: delivery.stepId,
        token: Number(delivery.leaseToken),
        isDeath: died && alone,
        isSuspect: died,
      };
    });
    try {
      this.#counts.released += await link.call((db) => releaseSteps(db, released));
    } catch (error) {
      this.#deps.logger.error(
        { err: error },
        "lost deliveries were not given back; their leases end",
      );
    }
    for (const { delivery, settled } of losses) {
      ledger.remove(delivery.stepId, Number(delivery.leaseToken));
      settled("stale");
    }
    this.#isScanWanted = true;
  }

  /** True when it brought something. */
  async #scan(): Promise<boolean> {
    const { link, pools, workerId, settings } = this.#deps;
    const namespaceIds = this.#namespaceIds();
    this.#isScanWanted = false;
    if (namespaceIds.length === 0) return false;
    const routes = pools.reserve(settings.batchSize, 1);
    const limit = Math.max(1, Math.min(settings.batchSize, sum(routes.free)));
    this.#counts.scans += 1;
    try {
      const outcome = await link.call((db) =>
        claimSteps(db, {
          workerId,
          namespaceIds,
          limit,
          routes,
          leaseMs: settings.leaseMs,
          maxDeaths: settings.maxDeaths,
          handlerWaitMs: settings.handlerWaitMs,
        }),
      );
      // A full page that brought something: there is probably more.
      if (outcome.scanned >= limit && outcome.claims.length > 0) this.#isScanWanted = true;
      this.#apply(outcome, () => pools.giveBack(routes));
      return outcome.claims.length > 0;
    } catch (error) {
      pools.giveBack(routes);
      throw error;
    }
  }

  #apply(outcome: TickOutcome, done: () => void): void {
    const dispatch = this.#deps.dispatcher.dispatch(outcome.claims).finally(() => {
      done();
      this.#dispatches.delete(dispatch);
      this.#wake.wake();
    });
    this.#dispatches.add(dispatch);
    if (outcome.nextTimerMs !== null) {
      this.#nextTimerAt = Math.min(this.#nextTimerAt, performance.now() + outcome.nextTimerMs);
    }
    if (outcome.queued > 0) {
      this.#isScanWanted = true;
      void this.#wakeOthers(); // a hint: failing to give it costs a poll interval
    }
    for (const task of outcome.restedTasks) this.#rested.notify(task);
  }

  async #wakeOthers(): Promise<void> {
    const { link, workerId, logger } = this.#deps;
    try {
      await link.call((db) => wakeIdleWorkers(db, workerId, this.#namespaceIds()));
    } catch (error) {
      logger.debug({ err: error }, "idle workers were not woken");
    }
  }

  #namespaceIds(): number[] {
    return [...this.#deps.registry.namespaces().keys()];
  }
}

function entryWith(completion: StepCompletion, outcome: StepSuccess | StepFailure): Entry {
  try {
    return { completion, report: reportOf(completion, outcome), isReplacement: false };
  } catch (error) {
    const failure = rejectedOutcome(
      "invalid_result",
      `The answer of step \`${completion.delivery.stepName}\` cannot be read: ${messageOf(error)}`,
    );
    return { completion, report: reportOf(completion, failure), isReplacement: true };
  }
}

function rejectedOutcome(errorType: string, message: string): StepFailure & { outcome: "failure" } {
  return {
    outcome: "failure",
    kind: "invalid_result",
    errorType,
    errorCode: null,
    message,
    retryable: false,
    retryAfterMs: null,
    statusCode: null,
    detail: null,
    executionMs: 0,
  };
}

/** Groups in which no step occurs twice: two answers for one step, of an old and a new lease, go in two calls. */
function uniqueSteps(entries: readonly Entry[]): Entry[][] {
  const groups: { ids: Set<bigint>; entries: Entry[] }[] = [];
  for (const entry of entries) {
    let group = groups.find((candidate) => !candidate.ids.has(entry.report.stepId));
    if (group === undefined) {
      group = { ids: new Set(), entries: [] };
      groups.push(group);
    }
    group.ids.add(entry.report.stepId);
    group.entries.push(entry);
  }
  return groups.map((group) => group.entries);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
