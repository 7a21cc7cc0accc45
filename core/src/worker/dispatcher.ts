import type { CompletionChannel, StepDelivery, StepFailure } from "../channels/index.js";
import type { ClaimedStep } from "../db/functions/index.js";
import { isConnectionLoss } from "../db/index.js";
import { delay } from "../lib/delay.js";
import type { LifecycleBus } from "../lifecycle/events/index.js";
import type { Logger } from "../observability/index.js";
import type { DeliveryBuilder } from "./delivery-builder.js";
import type { Ledger } from "./ledger.js";
import type { PoolSet } from "./pool-set.js";

export interface DispatcherDeps {
  readonly builder: DeliveryBuilder;
  readonly pools: PoolSet;
  readonly ledger: Ledger;
  readonly completions: CompletionChannel;
  readonly lifecycle: LifecycleBus;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly maxDeaths: number;
}

const LOAD_RETRY_MS = 100;

/** Puts leased steps into the channel of their pool; steps that cannot run here are failed or given back. */
export class Dispatcher {
  readonly #deps: DispatcherDeps;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  /** Resolves when every claim is in a channel or answered. Never rejects. */
  async dispatch(claims: readonly ClaimedStep[]): Promise<void> {
    if (claims.length === 0) return;
    const { ledger, logger } = this.#deps;
    for (const claim of claims) ledger.add(claim.stepId, claim.token);
    try {
      const deliveries = await this.#build(claims);
      await Promise.all(
        deliveries.map((delivery, i) => this.#place(claims[i] as ClaimedStep, delivery)),
      );
    } catch (error) {
      // Without an event there is nothing to run: the lease ends and the steps come back.
      for (const claim of claims) ledger.remove(claim.stepId, claim.token);
      if (!this.#deps.signal.aborted) {
        logger.error({ err: error, steps: claims.length }, "claimed steps could not be dispatched");
      }
    }
  }

  async #build(claims: readonly ClaimedStep[]): Promise<StepDelivery[]> {
    for (;;) {
      try {
        return await this.#deps.builder.build(claims);
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        await delay(LOAD_RETRY_MS, this.#deps.signal);
      }
    }
  }

  async #place(claim: ClaimedStep, delivery: StepDelivery): Promise<void> {
    const { pools, ledger } = this.#deps;
    if (claim.verdict !== "claim") {
      await this.#answer(delivery, this.#refusal(claim, delivery));
      return;
    }
    const channel = pools.poolOf(delivery.callable)?.channel;
    if (channel?.offer(delivery) === true) {
      ledger.delivered(claim.stepId, claim.token, delivery, channel);
      this.#deps.lifecycle.stepClaimed(delivery);
      return;
    }
    await this.#answer(delivery, {
      outcome: "lost",
      reason: "drained",
      alone: false,
      message: `Step \`${delivery.stepName}\` was claimed but pool \`${delivery.pool}\` had no room left`,
    });
  }

  async #answer(
    delivery: StepDelivery,
    outcome: StepFailure | Parameters<CompletionChannel["put"]>[0]["outcome"],
  ): Promise<void> {
    await this.#deps.completions.put({
      delivery,
      outcome,
      workerName: "dispatcher",
      settled: () => undefined,
    });
  }

  #refusal(claim: ClaimedStep, delivery: StepDelivery): StepFailure {
    const poisoned = claim.verdict === "poisoned";
    return {
      outcome: "failure",
      kind: poisoned ? "panic" : "handler_not_found",
      errorType: poisoned ? "crash_loop" : "handler_not_found",
      errorCode: null,
      message: poisoned
        ? `Step \`${delivery.stepName}\` was given up: its process died ${claim.deaths} times while it ran (limit ${this.#deps.maxDeaths})`
        : `Handler not found: ${delivery.callable}`,
      retryable: false,
      retryAfterMs: null,
      statusCode: null,
      detail: null,
      executionMs: 0,
    };
  }
}
