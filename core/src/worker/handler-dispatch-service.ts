import {
  Cancellation,
  executeStep,
  type FfiStepEvent,
  type HandlerRegistry,
  type LogSink,
  type StepExecution,
  toFfiStepEvent,
} from "@tasker-core/sdk/host";
import type {
  FfiDispatchChannel,
  StepDelivery,
  StepLost,
  StepOutcome,
  StepYield,
} from "../channels/index.js";
import { messageOf } from "../errors/index.js";
import { MAX_RESULT_BYTES, outcomeOf, unreadableOutcome } from "./step-outcome.js";

/** What the service needs of a dispatch channel. */
export type DispatchSource = Pick<
  FfiDispatchChannel,
  "pool" | "poll" | "complete" | "checkpointYield" | "onArrival" | "onCancel"
>;

export interface HandlerDispatchOptions {
  readonly source: DispatchSource;
  readonly registry: HandlerRegistry;
  /** Stands in the audit trail of every step it runs. */
  readonly workerName: string;
  /** Handlers running at once, abandoned ones included; default 10. */
  readonly maxConcurrent?: number;
  /** How long a cancelled handler may take to return; default 5 000. */
  readonly cancelGraceMs?: number;
  readonly maxResultBytes?: number;
  readonly log: LogSink;
}

export interface HandlerDispatchStats {
  /** Deliveries answered, failures included. */
  readonly processed: number;
  readonly failed: number;
  readonly active: number;
  /** Handlers that still run although their attempt has ended; each keeps its slot. */
  readonly abandoned: number;
}

interface Running {
  readonly delivery: StepDelivery;
  readonly cancellation: Cancellation;
}

/**
 * Runs TypeScript handlers in this process: takes from a dispatch channel what it has slots for and answers each
 * delivery once. Nothing is dropped when all slots are taken: the channel keeps it.
 */
export class HandlerDispatchService {
  readonly #options: HandlerDispatchOptions;
  readonly #maxConcurrent: number;
  #registry: HandlerRegistry;
  readonly #running = new Map<string, Running>();
  #unsubscribe: (() => void)[] = [];
  #isTaking = false;
  #isPumpScheduled = false;
  /** Slots taken: running, answering and abandoned. */
  #busy = 0;
  /** A solo delivery has the process to itself until its handler has returned. */
  #isSolo = false;
  #processed = 0;
  #failed = 0;
  #abandoned = 0;
  #onIdle: (() => void) | null = null;
  #stopped: Promise<void> | null = null;

  constructor(options: HandlerDispatchOptions) {
    this.#options = options;
    this.#maxConcurrent = options.maxConcurrent ?? 10;
    this.#registry = options.registry;
  }

  get stats(): HandlerDispatchStats {
    return {
      processed: this.#processed,
      failed: this.#failed,
      active: this.#running.size,
      abandoned: this.#abandoned,
    };
  }

  /** Steps that start from now on are run by these; those that run go on as they are. */
  useRegistry(registry: HandlerRegistry): void {
    this.#registry = registry;
  }

  /** Begins to take work. Pairs with {@link stop}; a stopped service stays stopped. */
  start(): void {
    if (this.#isTaking || this.#stopped !== null) return;
    this.#isTaking = true;
    const { source } = this.#options;
    this.#unsubscribe = [
      source.onArrival(() => this.#schedulePump()),
      source.onCancel((id, reason) => this.#running.get(id)?.cancellation.cancel(reason)),
    ];
    this.#pump();
  }

  /**
   * Takes nothing more and lets running handlers finish for `graceMs`. Those that do not are told to stop, and
   * their steps go back without an attempt counted. Resolves when every delivery is answered; what abandoned
   * handlers still do is not waited for.
   */
  stop(options: { readonly graceMs: number }): Promise<void> {
    this.#stopped ??= this.#stop(options.graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#isTaking = false;
    await this.#untilIdle(graceMs);
    const unfinished = [...this.#running.values()];
    for (const { cancellation } of unfinished) cancellation.cancel("shutdown");
    await Promise.all(
      unfinished.map(({ delivery }) => this.#answer(delivery, givenBack(delivery, graceMs))),
    );
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
  }

  async #untilIdle(graceMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      timer = setTimeout(resolve, graceMs);
    });
    clearTimeout(timer);
    this.#onIdle = null;
  }

  // A burst of offers is taken in one go, after the offering code has returned.
  #schedulePump(): void {
    if (this.#isPumpScheduled) return;
    this.#isPumpScheduled = true;
    queueMicrotask(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    try {
      while (this.#isTaking && !this.#isSolo && this.#busy < this.#maxConcurrent) {
        const delivery = this.#options.source.poll(this.#busy === 0 ? "any" : "shared");
        if (delivery === undefined) return;
        void this.#run(delivery); // Never rejects; its end frees the slot.
      }
    } catch (error) {
      // The channel has been drained and closed under us: there will be no more work.
      this.#isTaking = false;
      this.#options.log("info", "The dispatch channel is closed; taking no more steps", {
        pool: this.#options.source.pool,
        reason: messageOf(error),
      });
    }
  }

  async #run(delivery: StepDelivery): Promise<void> {
    const { deliveryId } = delivery;
    const cancellation = new Cancellation();
    let returned: Promise<void> | null = null;
    this.#busy++;
    this.#isSolo = delivery.solo;
    this.#running.set(deliveryId, { delivery, cancellation });
    const outcome = await this.#execute(delivery, cancellation, (handlerReturned) => {
      returned = handlerReturned;
    });
    await this.#answer(delivery, outcome);
    this.#running.delete(deliveryId);
    if (this.#running.size === 0) this.#onIdle?.();
    if (returned !== null) await this.#untilReturned(delivery, returned);
    this.#busy--;
    if (delivery.solo) this.#isSolo = false;
    this.#pump();
  }

  async #execute(
    delivery: StepDelivery,
    cancellation: Cancellation,
    onAbandoned: (returned: Promise<void>) => void,
  ): Promise<StepOutcome | StepYield> {
    const { log, cancelGraceMs, maxResultBytes } = this.#options;
    let event: FfiStepEvent;
    try {
      event = eventOf(delivery);
    } catch (error) {
      return unreadableOutcome(delivery, messageOf(error));
    }
    const execution = await executeStep(event, this.#registry, {
      handlerTimeoutMs: delivery.timeoutMs,
      cancellation,
      log,
      onAbandoned,
      ...(cancelGraceMs === undefined ? {} : { cancelGraceMs }),
    });
    if (isGivenBack(execution, cancellation)) return givenBack(delivery, cancelGraceMs ?? 0);
    return outcomeOf(delivery, execution, maxResultBytes ?? MAX_RESULT_BYTES);
  }

  async #answer(delivery: StepDelivery, outcome: StepOutcome | StepYield): Promise<void> {
    const { source, workerName, log } = this.#options;
    try {
      if (outcome.outcome === "yield") {
        // Waits until the checkpoint is stored: the slot is kept for the delivery with which the step goes on.
        await source.checkpointYield(delivery.deliveryId, outcome, workerName);
        return;
      }
      const isAccepted = await source.complete(delivery.deliveryId, outcome, workerName);
      // Not accepted: answered before, by a stop or by the channel's own timeout.
      if (!isAccepted || outcome.outcome === "lost") return;
      this.#processed++;
      if (outcome.outcome === "failure") this.#failed++;
    } catch (error) {
      // The lease brings the step back.
      log("error", "A step's answer could not be handed over", {
        ...identityOf(delivery),
        reason: messageOf(error),
      });
    }
  }

  async #untilReturned(delivery: StepDelivery, returned: Promise<void>): Promise<void> {
    this.#abandoned++;
    this.#options.log(
      "warn",
      "A handler still runs after its attempt has ended; it keeps its slot",
      {
        ...identityOf(delivery),
        abandoned: this.#abandoned,
        max_concurrent: this.#maxConcurrent,
      },
    );
    await returned;
    this.#abandoned--;
  }
}

function eventOf(delivery: StepDelivery): FfiStepEvent {
  const [, traceId, spanId] = delivery.traceparent?.split("-") ?? [];
  return toFfiStepEvent(delivery.payload.value(), {
    eventId: delivery.deliveryId,
    taskUuid: delivery.taskUuid,
    stepUuid: delivery.stepUuid,
    correlationId: delivery.correlationId,
    parentCorrelationId: delivery.parentCorrelationId,
    traceId: traceId ?? null,
    spanId: spanId ?? null,
  });
}

/** Stopped for this worker's own reasons: another worker runs the step, and no attempt is counted. */
function isGivenBack(execution: StepExecution, cancellation: Cancellation): boolean {
  if (execution.outcome !== "failure" || execution.kind !== "cancelled") return false;
  return cancellation.reason === "shutdown" || cancellation.reason === "lease_lost";
}

function givenBack(delivery: StepDelivery, graceMs: number): StepLost {
  const message = `Step \`${delivery.stepName}\` was given back: not finished ${graceMs} ms after it was asked to`;
  return { outcome: "lost", reason: "drained", alone: false, message };
}

function identityOf(delivery: StepDelivery): Record<string, unknown> {
  return {
    task_uuid: delivery.taskUuid,
    step_uuid: delivery.stepUuid,
    step_name: delivery.stepName,
    handler: delivery.callable,
    attempt: delivery.attempt,
    delivery_id: delivery.deliveryId,
  };
}
