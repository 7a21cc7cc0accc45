import { StateError } from "../errors/index.js";
import type { CircuitBreaker } from "../lib/circuit-breaker.js";
import { createDeferred, type Deferred } from "../lib/deferred.js";
import { HighWater } from "../lib/high-water.js";
import { Listeners } from "../lib/listeners.js";
import type { CompletionSink, StepCompletion } from "./types.js";

interface WaitingPut {
  readonly completion: StepCompletion;
  readonly admitted: Deferred<void>;
  readonly since: number;
}

export interface CompletionChannelOptions {
  readonly capacity: number;
  /** Learns of every send whether it was slow. While it is open its owner takes no more work; results go in all the same. */
  readonly circuit?: CircuitBreaker;
  /** A send that waits for longer counts as a failure of the circuit. Default 100. */
  readonly slowSendMs?: number;
}

/**
 * Where every transport puts its answers and from where the worker takes them in batches.
 * Full means the putter waits: a result is never dropped.
 */
export class CompletionChannel implements CompletionSink {
  readonly capacity: number;
  readonly highWater = new HighWater();
  #ready: StepCompletion[] = [];
  #waiting: WaitingPut[] = [];
  #isClosed = false;
  readonly #arrivals = new Listeners<[]>();
  readonly #options: CompletionChannelOptions;
  /** Since the last slow send the circuit has not been told of enough good ones. */
  #isSlow = false;

  constructor(options: CompletionChannelOptions) {
    this.#options = options;
    this.capacity = options.capacity;
  }

  /** Completions that can be taken now. */
  get size(): number {
    return this.#ready.length;
  }

  /** Putters that wait for room. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Resolves when the completion is in the channel. Rejects with `CHANNEL_CLOSED` after {@link close}. */
  put(completion: StepCompletion): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError(completion));
    if (this.#ready.length < this.capacity && this.#waiting.length === 0) {
      this.#ready.push(completion);
      this.highWater.record(this.#ready.length);
      if (this.#isSlow) this.#sent(0);
      this.#arrivals.notify();
      return Promise.resolve();
    }
    const admitted = createDeferred<void>();
    this.#waiting.push({ completion, admitted, since: performance.now() });
    this.highWater.record(this.#ready.length + this.#waiting.length);
    return admitted.promise;
  }

  /** Takes up to `max` completions, oldest first. Never waits. */
  takeAll(max: number = Number.POSITIVE_INFINITY): StepCompletion[] {
    const taken = this.#ready.splice(0, max);
    this.#admitWaiting();
    return taken;
  }

  /** Called whenever a completion can be taken, synchronously: schedule the work, do not do it. */
  onArrival(listener: () => void): () => void {
    return this.#arrivals.add(listener);
  }

  /** Refuses further completions and those that still wait; what is in the channel can still be taken. */
  close(): void {
    this.#isClosed = true;
    for (const { completion, admitted } of this.#waiting.splice(0)) {
      admitted.reject(closedError(completion));
    }
  }

  #admitWaiting(): void {
    const admitted = this.#waiting.splice(0, this.capacity - this.#ready.length);
    if (admitted.length === 0) return;
    for (const waiting of admitted) {
      this.#ready.push(waiting.completion);
      waiting.admitted.resolve();
      this.#sent(performance.now() - waiting.since);
    }
    this.#arrivals.notify();
  }

  #sent(waitedMs: number): void {
    const { circuit, slowSendMs = 100 } = this.#options;
    if (circuit === undefined) return;
    const isSlow = waitedMs > slowSendMs;
    this.#isSlow = isSlow || circuit.state !== "closed";
    if (circuit.isRefusing) return;
    // Told afterwards: the circuit never decides about a result, only about new work.
    circuit
      .run(async () => {
        if (isSlow) throw new Error(`a send waited ${Math.round(waitedMs)} ms`);
      })
      .catch(() => undefined);
  }
}

function closedError({ delivery }: StepCompletion): StateError {
  return new StateError(
    "CHANNEL_CLOSED",
    `Completion of step \`${delivery.stepName}\` came after the completion channel was closed; its lease will bring the step back`,
    { context: { stepUuid: delivery.stepUuid, stepName: delivery.stepName } },
  );
}
