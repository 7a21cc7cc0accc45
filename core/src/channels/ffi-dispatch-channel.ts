import { StateError } from "../errors/index.js";
import type { Clock } from "../lib/clock.js";
import { createDeferred, type Deferred } from "../lib/deferred.js";
import { HighWater } from "../lib/high-water.js";
import { Listeners } from "../lib/listeners.js";
import {
  DeliveryQueue,
  type DispatchMetrics,
  measurePending,
  type PendingDelivery,
} from "./pending-deliveries.js";
import type {
  CompletionSink,
  CompletionVerdict,
  StepDelivery,
  StepFailure,
  StepLost,
  StepOutcome,
  StepYield,
} from "./types.js";

export interface FfiDispatchChannelOptions {
  readonly pool: string;
  /** Deliveries that may be queued or held at once; a function where consumers come and go. */
  readonly capacity: number | (() => number);
  readonly completions: CompletionSink;
  readonly clock: Clock;
  /** Time on top of a delivery's own timeout before the channel gives it up; default 30 000. */
  readonly completionTimeoutMs?: number;
  /** A running handler says how far it is, in a measure of its own. */
  readonly onProgress?: (delivery: StepDelivery, progress: number) => void;
  /** A delivery that nobody has taken for this long counts as starving; default 10 000. */
  readonly starvationWarningMs?: number;
}

/** Which deliveries a consumer can take: `solo` ones want a process to themselves. Default `any`. */
export type PollPermit = "any" | "shared" | "solo";

export type CancelReason = "timeout" | "task_cancelled" | "lease_lost" | "shutdown";

interface Waiter {
  readonly permit: PollPermit;
  readonly taken: Deferred<StepDelivery>;
}

/**
 * Where work meets the code that does it, the same for every transport: one consumer (in-process TypeScript, the
 * bridge, a native library) polls deliveries and answers each once. A delivery leaves only by an accepted
 * completion, a timeout, or the loss of its consumer; an answer waits for room in the sink and is never dropped.
 */
export class FfiDispatchChannel {
  readonly pool: string;
  readonly highWater = new HighWater();
  #refused = 0;
  readonly #capacity: () => number;
  readonly #completions: CompletionSink;
  readonly #clock: Clock;
  readonly #completionTimeoutMs: number;
  readonly #starvationWarningMs: number;
  readonly #onProgress: NonNullable<FfiDispatchChannelOptions["onProgress"]>;
  /** Everything queued, held or answering, in order of arrival. */
  readonly #pending = new Map<string, PendingDelivery>();
  readonly #sharedQueue = new DeliveryQueue();
  readonly #soloQueue = new DeliveryQueue();
  /** Answered, not yet stored: the lease has to be kept until the database has decided. */
  readonly #unsettled = new Set<StepDelivery>();
  readonly #waiters = new Set<Waiter>();
  readonly #arrivals = new Listeners<[]>();
  readonly #cancels = new Listeners<[string, CancelReason]>();
  readonly #departures = new Listeners<[]>();
  #isDraining = false;
  #isClosed = false;

  constructor(options: FfiDispatchChannelOptions) {
    this.pool = options.pool;
    const { capacity } = options;
    this.#capacity = typeof capacity === "number" ? () => capacity : capacity;
    this.#completions = options.completions;
    this.#clock = options.clock;
    this.#completionTimeoutMs = options.completionTimeoutMs ?? 30_000;
    this.#starvationWarningMs = options.starvationWarningMs ?? 10_000;
    this.#onProgress = options.onProgress ?? (() => undefined);
  }

  /** Deliveries that may be queued or held at once. */
  get capacity(): number {
    return this.#capacity();
  }

  /** How many deliveries can be offered now: what the worker may claim. */
  get free(): number {
    return this.#isDraining ? 0 : Math.max(0, this.capacity - this.#pending.size);
  }

  /** Queued, held by a consumer, or waiting for room in the sink. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Deliveries nobody has taken yet, by what they ask of a process. */
  get queued(): { readonly shared: number; readonly solo: number } {
    return { shared: this.#sharedQueue.size, solo: this.#soloQueue.size };
  }

  /** Adds work. False when full, draining, or when the delivery is already here. */
  offer(delivery: StepDelivery): boolean {
    if (this.#pending.has(delivery.deliveryId)) return false;
    if (this.free === 0) {
      this.#refused += 1;
      return false;
    }
    this.#enqueue(delivery, false);
    return true;
  }

  /** Deliveries that there was no room for since the last call; for whoever watches. */
  takeRefused(): number {
    const refused = this.#refused;
    this.#refused = 0;
    return refused;
  }

  /**
   * Takes the next delivery, or `undefined` when none fits the permit. Never waits. It stays pending until
   * {@link complete}, {@link lose} or a timeout.
   * @throws StateError `CHANNEL_CLOSED` once {@link drain} has finished.
   */
  poll(permit: PollPermit = "any"): StepDelivery | undefined {
    if (this.#isClosed) throw this.#closedError();
    const entry = this.#next(permit);
    if (entry === undefined) return undefined;
    this.#queueOf(entry.delivery).delete(entry);
    entry.state = "held";
    entry.deadlineMs = this.#deadlineFrom(this.#clock.nowMs(), entry.delivery);
    return entry.delivery;
  }

  /** Waits for the next delivery. Rejects with the signal's reason, or `CHANNEL_CLOSED` when the channel drains. */
  async pollAsync(signal: AbortSignal, permit: PollPermit = "any"): Promise<StepDelivery> {
    signal.throwIfAborted();
    if (this.#isDraining) throw this.#closedError();
    const ready = this.poll(permit);
    if (ready !== undefined) return ready;
    const waiter: Waiter = { permit, taken: createDeferred<StepDelivery>() };
    const onAbort = (): void => {
      // Out of the set first: a delivery handed to a waiter that has gone would be held by nobody.
      if (this.#waiters.delete(waiter)) waiter.taken.reject(signal.reason);
    };
    this.#waiters.add(waiter);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await waiter.taken.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Answers a delivery. Resolves true when the answer is in the sink, which may mean waiting for room; false when
   * the delivery is not held (unknown, timed out, answered before).
   * @param onSettled called once with the database's verdict; never when this resolves false or rejects.
   */
  async complete(
    deliveryId: string,
    outcome: StepOutcome,
    workerName: string,
    onSettled?: (verdict: CompletionVerdict) => void,
  ): Promise<boolean> {
    const entry = this.#pending.get(deliveryId);
    if (entry?.state !== "held") return false;
    await this.#answer(entry, outcome, workerName, onSettled);
    return true;
  }

  /**
   * Ends a delivery with progress instead of an answer. It keeps its place until the database has decided: `committed`
   * when the checkpoint is stored and the step goes on (at once, unless the channel drains), `stale` when the delivery
   * is not held or its lease had moved on, `rejected` when the checkpoint could not be stored and the step has failed.
   */
  async checkpointYield(
    deliveryId: string,
    progress: StepYield,
    workerName: string,
  ): Promise<CompletionVerdict> {
    const entry = this.#pending.get(deliveryId);
    if (entry?.state !== "held") return "stale";
    entry.state = "answering";
    const decided = createDeferred<CompletionVerdict>();
    const settled = (verdict: CompletionVerdict): void => {
      this.#leave(deliveryId);
      decided.resolve(verdict);
    };
    try {
      const { delivery } = entry;
      await this.#completions.put({ delivery, outcome: progress, workerName, settled });
    } catch (error) {
      entry.state = "held";
      throw error;
    }
    return await decided.promise;
  }

  /**
   * Puts the delivery with which a yielded step goes on into the place of the one that yielded, ahead of what waits.
   * To be called before that one is settled. False when the channel drains: the caller gives the step back.
   */
  resume(yieldedId: string, delivery: StepDelivery): boolean {
    if (this.#isDraining || !this.#pending.delete(yieldedId)) return false;
    this.#enqueue(delivery, true);
    return true;
  }

  /** Is this delivery with a consumer, and still wanted? */
  isHeld(deliveryId: string): boolean {
    return this.#pending.get(deliveryId)?.state === "held";
  }

  /**
   * A sign of life: starts the channel's own deadline anew. False when the delivery is not held.
   * @param progress how far the handler is, when it says so
   */
  extendLease(deliveryId: string, progress: number | null = null): boolean {
    const entry = this.#pending.get(deliveryId);
    if (entry?.state !== "held") return false;
    entry.deadlineMs = this.#deadlineFrom(this.#clock.nowMs(), entry.delivery);
    if (progress !== null) this.#onProgress(entry.delivery, progress);
    return true;
  }

  /**
   * Asks for a delivery to be stopped. A queued one goes back untouched; for a held one the listeners of
   * {@link onCancel} hear of it and its consumer still answers. False when it is not here.
   */
  cancel(deliveryId: string, reason: CancelReason): boolean {
    const entry = this.#pending.get(deliveryId);
    if (entry === undefined || entry.state === "answering") return false;
    if (entry.state === "held") {
      this.#cancels.notify(deliveryId, reason);
    } else {
      // With the sink closed it stays queued, as it was; its lease brings the step back.
      this.#release(entry, `cancelled before it started (${reason})`).catch(() => undefined);
    }
    return true;
  }

  /** The consumer of these deliveries is gone. What it had already answered, or never held, is passed over. */
  async lose(
    deliveryIds: Iterable<string>,
    loss: {
      readonly alone: boolean;
      readonly message: string;
      readonly workerName: string;
      /** Default `worker_lost`; `drained` when the consumer was stopped on purpose. */
      readonly reason?: StepLost["reason"];
    },
  ): Promise<void> {
    const { alone, message, workerName, reason = "worker_lost" } = loss;
    const outcome: StepLost = { outcome: "lost", reason, alone, message };
    const lost = [...deliveryIds].flatMap((id) => this.#pending.get(id) ?? []);
    const held = lost.filter((entry) => entry.state === "held");
    await Promise.all(held.map((entry) => this.#answer(entry, outcome, workerName)));
  }

  /** Everything whose lease this host has to renew, answered but unstored deliveries included. */
  held(): StepDelivery[] {
    // An answer that waits for room is in both.
    const pending = Array.from(this.#pending.values(), (entry) => entry.delivery);
    return [...new Set([...pending, ...this.#unsettled])];
  }

  /**
   * Gives up what is past its deadline: a held delivery fails with `ffi_timeout`, retryable; one that nobody has
   * taken goes back without an attempt. Resolves with how many, once their outcomes are in the sink.
   */
  async cleanupTimeouts(): Promise<number> {
    const nowMs = this.#clock.nowMs();
    const late = [...this.#pending.values()].filter(
      (entry) => entry.state !== "answering" && entry.deadlineMs <= nowMs,
    );
    await Promise.all(
      late.map((entry) => {
        if (entry.state === "queued") return this.#release(entry, "no handler took it in time");
        this.#cancels.notify(entry.delivery.deliveryId, "timeout");
        return this.#answer(entry, this.#timeoutFailure(entry, nowMs), `channel:${this.pool}`);
      }),
    );
    return late.length;
  }

  metrics(): DispatchMetrics {
    return measurePending(this.#pending.values(), this.#clock.nowMs(), this.#starvationWarningMs);
  }

  /** Called when a delivery has been queued, synchronously. */
  onArrival(listener: () => void): () => void {
    return this.#arrivals.add(listener);
  }

  /** Called when a held delivery should stop. */
  onCancel(listener: (deliveryId: string, reason: CancelReason) => void): () => void {
    return this.#cancels.add(listener);
  }

  /**
   * Takes nothing more, gives back what nobody has taken, and waits for the rest to be answered; when the signal
   * aborts, gives that back as well. The channel is closed afterwards.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    for (const waiter of this.#waiters) waiter.taken.reject(this.#closedError());
    this.#waiters.clear();
    const queued = [...this.#sharedQueue.values(), ...this.#soloQueue.values()];
    await Promise.all(queued.map((entry) => this.#release(entry, "the worker is shutting down")));
    await this.#untilEmpty(signal);
    const unfinished = [...this.#pending.values()].filter((entry) => entry.state === "held");
    await Promise.all(
      unfinished.map((entry) => this.#release(entry, "not finished when the worker shut down")),
    );
    this.#isClosed = true;
  }

  async #untilEmpty(signal: AbortSignal): Promise<void> {
    const done = createDeferred<void>();
    const check = (): void => {
      if (this.#pending.size === 0 || signal.aborted) done.resolve();
    };
    const stopListening = this.#departures.add(check);
    signal.addEventListener("abort", check, { once: true });
    check();
    await done.promise;
    stopListening();
    signal.removeEventListener("abort", check);
  }

  #next(permit: PollPermit): PendingDelivery | undefined {
    const shared = permit === "solo" ? undefined : this.#sharedQueue.first();
    const solo = permit === "shared" ? undefined : this.#soloQueue.first();
    if (shared === undefined || solo === undefined) return shared ?? solo;
    return shared.offeredAtMs <= solo.offeredAtMs ? shared : solo;
  }

  #enqueue(delivery: StepDelivery, isContinued: boolean): void {
    const nowMs = this.#clock.nowMs();
    const entry: PendingDelivery = {
      delivery,
      offeredAtMs: nowMs,
      isContinued,
      state: "queued",
      deadlineMs: this.#deadlineFrom(nowMs, delivery),
    };
    this.#pending.set(delivery.deliveryId, entry);
    this.highWater.record(this.#pending.size);
    this.#queueOf(delivery).add(entry);
    this.#serveWaiters();
    if (entry.state === "queued") this.#arrivals.notify();
  }

  #leave(deliveryId: string): void {
    if (this.#pending.delete(deliveryId)) this.#departures.notify();
  }

  #queueOf(delivery: StepDelivery): DeliveryQueue {
    return delivery.solo ? this.#soloQueue : this.#sharedQueue;
  }

  #serveWaiters(): void {
    for (const waiter of this.#waiters) {
      const delivery = this.poll(waiter.permit);
      if (delivery === undefined) continue;
      this.#waiters.delete(waiter);
      waiter.taken.resolve(delivery);
    }
  }

  #release(entry: PendingDelivery, why: string): Promise<void> {
    const message = `Step \`${entry.delivery.stepName}\` was given back: ${why}`;
    const outcome: StepLost = { outcome: "lost", reason: "drained", alone: false, message };
    return this.#answer(entry, outcome, `channel:${this.pool}`);
  }

  async #answer(
    entry: PendingDelivery,
    outcome: StepOutcome,
    workerName: string,
    onSettled?: (verdict: CompletionVerdict) => void,
  ): Promise<void> {
    const { delivery } = entry;
    const before = entry.state;
    // At once, so that a second answer, a timeout or a loss during the wait for room finds nothing to answer.
    entry.state = "answering";
    this.#queueOf(delivery).delete(entry);
    this.#unsettled.add(delivery);
    const settled = (verdict: CompletionVerdict): void => {
      this.#unsettled.delete(delivery);
      onSettled?.(verdict);
    };
    try {
      await this.#completions.put({ delivery, outcome, workerName, settled });
    } catch (error) {
      this.#unsettled.delete(delivery);
      entry.state = before === "queued" ? "queued" : "held";
      if (before === "queued") this.#queueOf(delivery).add(entry);
      throw error;
    }
    this.#leave(delivery.deliveryId);
  }

  #deadlineFrom(nowMs: number, delivery: StepDelivery): number {
    return nowMs + delivery.timeoutMs + this.#completionTimeoutMs;
  }

  #timeoutFailure(entry: PendingDelivery, nowMs: number): StepFailure {
    const { delivery } = entry;
    const heldMs = Math.round(nowMs - entry.offeredAtMs);
    return {
      outcome: "failure",
      kind: "timeout",
      errorType: "ffi_timeout",
      errorCode: null,
      message: `Step \`${delivery.stepName}\` (attempt ${delivery.attempt}) got no answer from its handler \`${delivery.callable}\` within ${heldMs} ms`,
      retryable: true,
      retryAfterMs: null,
      statusCode: null,
      detail: null,
      executionMs: heldMs,
    };
  }

  #closedError(): StateError {
    return new StateError(
      "CHANNEL_CLOSED",
      `Dispatch channel of pool \`${this.pool}\` is closed: the worker is shutting down`,
    );
  }
}
