import type { StepCompletion, StepFailure, StepOutcome, StepSuccess } from "../channels/index.js";
import {
  type ReleasedStep,
  releaseSteps,
  type StepReport,
  type TickOutcome,
} from "../db/functions/index.js";
import { isDataError, type PumpLink } from "../db/index.js";
import { messageOf } from "../errors/index.js";
import type { LifecycleBus } from "../lifecycle/events/index.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import type { Logger } from "../observability/index.js";
import type { EventPublisher, PreparedEvents } from "./event-publisher.js";
import type { Ledger } from "./ledger.js";
import type { PoolSet } from "./pool-set.js";
import type { ResultPlanner } from "./result-planner.js";
import { reportOf } from "./step-report.js";
import type { TaskCache } from "./task-cache.js";
import type { WorkerMeter } from "./worker-meter.js";

export interface ResultWriterDeps {
  readonly link: PumpLink;
  readonly pools: PoolSet;
  readonly ledger: Ledger;
  readonly registry: TemplateRegistry;
  readonly cache: TaskCache;
  readonly planner: ResultPlanner;
  readonly publisher: EventPublisher;
  readonly lifecycle: LifecycleBus;
  readonly meter: WorkerMeter;
  readonly logger: Logger;
  /** Sends reports to the database in one call. The caller owns room, timers, and what the call brings back. */
  readonly commit: (reports: readonly StepReport[]) => Promise<Committed>;
}

export interface Committed {
  readonly outcome: TickOutcome;
  /** Hands out what the call brought. To be called once the results are in the caches: the next steps read them there. */
  readonly handOut: () => void;
}

/** A result ready for the database, with whom to tell. */
interface Entry {
  readonly completion: StepCompletion;
  /** As it was stored: not always what the handler answered. */
  readonly outcome: StepSuccess | StepFailure;
  readonly report: StepReport;
  readonly events: PreparedEvents | undefined;
  /** Our own words in place of a result that could not be stored. */
  readonly isReplacement: boolean;
}

/**
 * Gets answers into the database and tells whoever gave them what became of it. One answer that the database refuses
 * never holds up the others, and none is held for ever: what cannot be stored here loses its lease and comes back.
 */
export class ResultWriter {
  readonly #deps: ResultWriterDeps;
  readonly counts = { committed: 0, stale: 0, rejected: 0, released: 0 };

  constructor(deps: ResultWriterDeps) {
    this.#deps = deps;
  }

  /** Resolves with the number of deliveries that were lost and given back. Never rejects. */
  async write(batch: readonly StepCompletion<StepOutcome>[]): Promise<number> {
    const entries: Entry[] = [];
    const losses: StepCompletion<StepOutcome>[] = [];
    for (const completion of batch) {
      const entry = this.#entryOf(completion);
      if (entry === undefined) losses.push(completion);
      else entries.push(entry);
    }
    if (losses.length > 0) await this.#release(losses);
    for (const group of uniqueSteps(entries)) await this.#report(group);
    return losses.length;
  }

  /** Undefined for a delivery that was lost and may run again. */
  #entryOf(completion: StepCompletion<StepOutcome>): Entry | undefined {
    const { outcome, delivery } = completion;
    const { pools, registry } = this.#deps;
    if (outcome.outcome !== "lost") {
      pools.observe(delivery.pool, outcome.executionMs);
      this.#deps.meter.handlerEnded(delivery.pool, outcome.outcome, outcome.executionMs);
      return this.#entryWith(completion, outcome);
    }
    const step = registry.get(delivery.templateId)?.steps[delivery.templateOrdinal];
    const redeliver = step?.redeliver ?? true;
    if (redeliver || outcome.reason === "drained") return undefined;
    const why = `${outcome.message}; the step is marked redeliver: false`;
    return this.#entryWith(completion, rejectedOutcome("worker_lost", why));
  }

  #entryWith(completion: StepCompletion<StepOutcome>, outcome: StepSuccess | StepFailure): Entry {
    try {
      const { outcome: kept, plan } =
        outcome.outcome === "success"
          ? this.#deps.planner.plan(completion.delivery, outcome)
          : { outcome, plan: undefined };
      return this.#entry(completion, kept, plan, false);
    } catch (error) {
      const why = `The answer of step \`${completion.delivery.stepName}\` cannot be read: ${messageOf(error)}`;
      return this.#entry(completion, rejectedOutcome("invalid_result", why), undefined, true);
    }
  }

  #entry(
    completion: StepCompletion,
    outcome: StepSuccess | StepFailure,
    plan: string | undefined,
    isReplacement: boolean,
  ): Entry {
    const bare = reportOf(completion, outcome);
    const events = this.#deps.publisher.prepare(completion.delivery, outcome, bare.body);
    const report = {
      ...bare,
      ...(plan === undefined ? {} : { plan }),
      ...(events === undefined ? {} : { events: events.queued }),
    };
    return { completion, outcome, report, events, isReplacement };
  }

  /** When the database blames the data of a batch, halves it until the culprit stands alone. */
  async #report(entries: readonly Entry[]): Promise<void> {
    try {
      const { outcome, handOut } = await this.#deps.commit(entries.map((entry) => entry.report));
      this.#settle(entries, outcome);
      handOut();
    } catch (error) {
      if (isDataError(error)) await this.#split(entries, error);
      else this.#giveUp(entries, error);
    }
  }

  async #split(entries: readonly Entry[], error: unknown): Promise<void> {
    const [first] = entries;
    if (entries.length > 1) {
      const middle = Math.ceil(entries.length / 2);
      await this.#report(entries.slice(0, middle));
      await this.#report(entries.slice(middle));
    } else if (first === undefined || first.isReplacement) {
      this.#giveUp(entries, error);
    } else {
      this.counts.rejected += 1;
      const { completion } = first;
      const why = `The database refused the result of step \`${completion.delivery.stepName}\`: ${messageOf(error)}`;
      const replacement = rejectedOutcome("invalid_result", why);
      await this.#report([this.#entry(completion, replacement, undefined, true)]);
    }
  }

  #settle(entries: readonly Entry[], outcome: TickOutcome): void {
    const { ledger, cache, logger } = this.#deps;
    const verdicts = new Map(outcome.verdicts.map((verdict) => [verdict.stepId, verdict.status]));
    if (outcome.refusedEvents.length > 0) {
      const queued = entries.flatMap(({ report }) => report.events ?? []);
      for (const { position, reason } of outcome.refusedEvents) {
        this.#deps.publisher.refused(queued[position], reason);
      }
    }
    for (const entry of entries) {
      const { completion, report } = entry;
      const status = verdicts.get(report.stepId) ?? "stale";
      this.counts[status] += 1;
      if (status === "committed") this.#tell(entry);
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

  /** What subscribers of this process get to know, now that the result is stored. */
  #tell({ completion, outcome, report, events }: Entry): void {
    const { publisher, lifecycle, registry } = this.#deps;
    const { delivery } = completion;
    if (!lifecycle.isIdle) {
      const step = registry.get(delivery.templateId)?.steps[delivery.templateOrdinal];
      // The arithmetic of _accept_results.
      const isRetryable = report.verdict === 1 && step?.retryable !== false;
      lifecycle.stepEnded(
        delivery,
        outcome,
        isRetryable && delivery.attempt < delivery.maxAttempts,
      );
    }
    if (events !== undefined) publisher.committed(delivery, events);
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

  async #release(losses: readonly StepCompletion[]): Promise<void> {
    const { link, ledger, logger } = this.#deps;
    try {
      const released = losses.map(releasedStep);
      this.counts.released += await link.call((db) => releaseSteps(db, released));
    } catch (error) {
      logger.error({ err: error }, "lost deliveries were not given back; their leases end");
    }
    for (const { delivery, settled } of losses) {
      ledger.remove(delivery.stepId, Number(delivery.leaseToken));
      settled("stale");
    }
  }
}

function releasedStep({ delivery, outcome }: StepCompletion): ReleasedStep {
  const hasDied = outcome.outcome === "lost" && outcome.reason === "worker_lost";
  return {
    stepId: delivery.stepId,
    token: Number(delivery.leaseToken),
    isDeath: hasDied && outcome.alone,
    isSuspect: hasDied,
  };
}

function rejectedOutcome(errorType: string, message: string): StepFailure {
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
