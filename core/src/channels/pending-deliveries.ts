import type { StepDelivery } from "./types.js";

/** One delivery from `offer` until its answer has been stored. */
export interface PendingDelivery {
  readonly delivery: StepDelivery;
  readonly offeredAtMs: number;
  /** Its step has just yielded and goes on with this delivery. */
  readonly isContinued: boolean;
  /**
   * `queued`: nobody has it. `held`: a consumer does. `answering`: its answer waits for room in the sink, or its
   * checkpoint for the database.
   */
  state: "queued" | "held" | "answering";
  /** Without an answer by then the delivery is given up. */
  deadlineMs: number;
}

/** Deliveries that wait for a consumer: first come, first served, behind those that go on after a yield. */
export class DeliveryQueue {
  readonly #continued = new Map<string, PendingDelivery>();
  readonly #fresh = new Map<string, PendingDelivery>();

  get size(): number {
    return this.#continued.size + this.#fresh.size;
  }

  add(entry: PendingDelivery): void {
    (entry.isContinued ? this.#continued : this.#fresh).set(entry.delivery.deliveryId, entry);
  }

  delete(entry: PendingDelivery): void {
    (entry.isContinued ? this.#continued : this.#fresh).delete(entry.delivery.deliveryId);
  }

  first(): PendingDelivery | undefined {
    return this.#continued.values().next().value ?? this.#fresh.values().next().value;
  }

  values(): PendingDelivery[] {
    return [...this.#continued.values(), ...this.#fresh.values()];
  }
}

/** What `FfiDispatchChannel.metrics()` reports; ages in milliseconds, null when nothing is pending. */
export interface DispatchMetrics {
  readonly pendingCount: number;
  readonly queuedCount: number;
  readonly oldestPendingAgeMs: number | null;
  readonly newestPendingAgeMs: number | null;
  readonly oldestEventId: string | null;
  readonly starvationDetected: boolean;
  /** Deliveries that no consumer has taken for longer than the warning threshold. */
  readonly starvingEventCount: number;
}

export function measurePending(
  pending: Iterable<PendingDelivery>,
  nowMs: number,
  starvationWarningMs: number,
): DispatchMetrics {
  let pendingCount = 0;
  let queuedCount = 0;
  let starvingEventCount = 0;
  let oldest: PendingDelivery | undefined;
  let newest: PendingDelivery | undefined;
  for (const entry of pending) {
    pendingCount++;
    if (oldest === undefined || entry.offeredAtMs < oldest.offeredAtMs) oldest = entry;
    if (newest === undefined || entry.offeredAtMs >= newest.offeredAtMs) newest = entry;
    if (entry.state !== "queued") continue;
    queuedCount++;
    if (nowMs - entry.offeredAtMs > starvationWarningMs) starvingEventCount++;
  }
  return {
    pendingCount,
    queuedCount,
    oldestPendingAgeMs: oldest === undefined ? null : nowMs - oldest.offeredAtMs,
    newestPendingAgeMs: newest === undefined ? null : nowMs - newest.offeredAtMs,
    oldestEventId: oldest?.delivery.deliveryId ?? null,
    starvationDetected: starvingEventCount > 0,
    starvingEventCount,
  };
}
