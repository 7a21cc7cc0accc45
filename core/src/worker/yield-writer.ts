import type { StepCompletion, StepDelivery, StepOutcome, StepYield } from "../channels/index.js";
import { type CheckpointReport, checkpointSteps, type TickOutcome } from "../db/functions/index.js";
import { isDataError, type PumpLink } from "../db/index.js";
import { messageOf } from "../errors/index.js";
import { newUuid } from "../lib/uuid.js";
import type { Logger } from "../observability/index.js";
import type { Ledger } from "./ledger.js";
import type { PoolSet } from "./pool-set.js";

export interface YieldWriterDeps {
  readonly link: PumpLink;
  readonly pools: PoolSet;
  readonly ledger: Ledger;
  readonly workerId: number;
  readonly logger: Logger;
  readonly settings: { readonly leaseMs: number; readonly checkpointHistoryLimit: number };
}

export type Yielded = StepCompletion<StepYield>;
/** What has to be written as an ordinary outcome. */
export type Ended = StepCompletion<StepOutcome>;

/**
 * Gets the progress of yielding steps into the database and the steps back into their pools. The delivery with which a
 * step goes on differs from the one that yielded by its ids, its token and the checkpoint, and by nothing else.
 */
export class YieldWriter {
  readonly #deps: YieldWriterDeps;
  readonly counts = { yielded: 0 };

  constructor(deps: YieldWriterDeps) {
    this.#deps = deps;
  }

  /** Resolves with the outcomes that yields have turned into: failures to be stored, steps to be given back. Never rejects. */
  async write(yields: readonly Yielded[]): Promise<Ended[]> {
    const { pools } = this.#deps;
    for (const { delivery, outcome } of yields) pools.observe(delivery.pool, outcome.executionMs);
    const newest = newestPerStep(yields);
    for (const each of yields) if (!newest.includes(each)) this.#refuse(each);
    return newest.length === 0 ? [] : await this.#store(newest);
  }

  /** When the database blames the data of a batch, halves it until the culprit stands alone. */
  async #store(yields: readonly Yielded[]): Promise<Ended[]> {
    const { link, workerId, settings } = this.#deps;
    const { leaseMs, checkpointHistoryLimit: historyLimit } = settings;
    let outcome: TickOutcome;
    try {
      const reports = yields.map(reportOf);
      outcome = await link.call((db) =>
        checkpointSteps(db, { workerId, reports, leaseMs, historyLimit }),
      );
    } catch (error) {
      if (!isDataError(error) || yields.length === 1)
        return yields.map((each) => failed(each, error));
      const middle = Math.ceil(yields.length / 2);
      const first = await this.#store(yields.slice(0, middle));
      return [...first, ...(await this.#store(yields.slice(middle)))];
    }
    return this.#goOn(yields, outcome);
  }

  #goOn(yields: readonly Yielded[], outcome: TickOutcome): Ended[] {
    const { ledger, pools } = this.#deps;
    const claims = new Map(outcome.claims.map((claim) => [claim.stepId, claim]));
    return yields.flatMap((each) => {
      const { delivery, settled } = each;
      const claim = claims.get(delivery.stepId);
      if (claim === undefined) {
        this.#refuse(each);
        return [];
      }
      this.counts.yielded += 1;
      const next = continued(each, claim.token);
      const channel = pools.poolOf(delivery.callable)?.channel;
      ledger.add(delivery.stepId, claim.token);
      // Into the queue before the verdict is told: the slot that this frees is then the step's own again.
      const hasResumed = channel?.resume(delivery.deliveryId, next) === true;
      if (hasResumed) ledger.delivered(delivery.stepId, claim.token, next, channel);
      settled("committed");
      return hasResumed ? [] : [givenBack(each, next)];
    });
  }

  #refuse({ delivery, settled }: Yielded): void {
    const { ledger, logger } = this.#deps;
    const token = Number(delivery.leaseToken);
    logger.warn(
      { step_uuid: delivery.stepUuid, token },
      `a late checkpoint of step ${delivery.stepName} was refused: its lease had moved on`,
    );
    ledger.remove(delivery.stepId, token);
    settled("stale");
  }
}

function reportOf({ delivery, outcome }: Yielded): CheckpointReport {
  return {
    stepId: delivery.stepId,
    token: Number(delivery.leaseToken),
    body: Buffer.from(`{${fieldsOf(outcome)}}`),
  };
}

function continued({ delivery, outcome }: Yielded, token: number): StepDelivery {
  const submitted = `{"step_uuid":"${delivery.stepUuid}",${fieldsOf(outcome)}}`;
  return {
    ...delivery,
    deliveryId: newUuid(),
    leaseToken: BigInt(token),
    payload: delivery.payload.withCheckpoint(submitted),
  };
}

/** The handler's texts go in unread, so their numbers stay what they are. */
function fieldsOf({ cursor, itemsProcessed, accumulatedResults }: StepYield): string {
  const results = accumulatedResults === null ? "null" : textOf(accumulatedResults);
  return `"cursor":${textOf(cursor)},"items_processed":${itemsProcessed},"accumulated_results":${results}`;
}

function textOf(json: Uint8Array): string {
  return Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString("utf8");
}

function failed({ delivery, outcome, workerName, settled }: Yielded, error: unknown): Ended {
  return {
    delivery,
    workerName,
    settled: () => settled("rejected"),
    outcome: {
      outcome: "failure",
      kind: "handler",
      errorType: "checkpoint_error",
      errorCode: null,
      message: `Checkpoint yield failed: ${messageOf(error)}`,
      retryable: true,
      retryAfterMs: null,
      statusCode: null,
      detail: null,
      executionMs: outcome.executionMs,
    },
  };
}

function givenBack({ workerName }: Yielded, delivery: StepDelivery): Ended {
  const message = `Step \`${delivery.stepName}\` has stored a checkpoint and was given back: its pool takes nothing more`;
  return {
    delivery,
    workerName,
    settled: () => undefined,
    outcome: { outcome: "lost", reason: "drained", alone: false, message },
  };
}

/** Of several yields of one step all but the newest come from leases that have moved on. */
function newestPerStep(yields: readonly Yielded[]): Yielded[] {
  const newest = new Map<bigint, Yielded>();
  for (const each of yields) {
    const { stepId, leaseToken } = each.delivery;
    const other = newest.get(stepId);
    if (other === undefined || other.delivery.leaseToken < leaseToken) newest.set(stepId, each);
  }
  return [...newest.values()];
}
