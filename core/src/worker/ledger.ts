import type { FfiDispatchChannel, StepDelivery } from "../channels/index.js";
import type { HeldStep } from "../db/functions/index.js";
import type { SharedHoldings } from "./lease-guard/index.js";

/** Why a step is no longer this host's. */
export type TakenAway = "lease_lost" | "task_cancelled";

interface Entry {
  readonly token: number;
  /** Taken away before its delivery was in a channel. */
  readonly takenAway?: TakenAway;
  readonly delivery?: { readonly deliveryId: string; readonly channel: FfiDispatchChannel };
}

/** What is leased to this host, from the claim until the database has decided on the result. */
export class Ledger {
  readonly #entries = new Map<bigint, Entry>();
  /** The same for the lease guard's thread, which reads it when this one stands still. */
  readonly #shared: SharedHoldings | null;

  constructor(shared: SharedHoldings | null = null) {
    this.#shared = shared;
  }

  add(stepId: bigint, token: number): void {
    this.#entries.set(stepId, { token });
    this.#shared?.keep(stepId, token, null);
  }

  /** The step has been put into a channel as this delivery. */
  delivered(
    stepId: bigint,
    token: number,
    { deliveryId, timeoutMs }: Pick<StepDelivery, "deliveryId" | "timeoutMs">,
    channel: FfiDispatchChannel,
  ): void {
    this.#shared?.keep(stepId, token, timeoutMs);
    const earlier = this.#entries.get(stepId);
    this.#entries.set(stepId, { token, delivery: { deliveryId, channel } });
    if (earlier?.token === token && earlier.takenAway !== undefined) {
      this.takeAway(stepId, earlier.takenAway);
    }
  }

  /** Forgets a step, unless a newer lease on it was taken meanwhile. */
  remove(stepId: bigint, token: number): void {
    if (this.#entries.get(stepId)?.token === token) this.#delete(stepId);
  }

  /**
   * The step is another worker's now, or nobody's: its handler is told to stop, and its answer will be stale. One that is
   * not in a channel yet is stopped when it gets there.
   */
  takeAway(stepId: bigint, reason: TakenAway): void {
    const entry = this.#entries.get(stepId);
    if (entry === undefined) return;
    if (entry.delivery === undefined) {
      this.#entries.set(stepId, { token: entry.token, takenAway: reason });
      return;
    }
    this.#delete(stepId);
    entry.delivery.channel.cancel(entry.delivery.deliveryId, reason);
  }

  #delete(stepId: bigint): void {
    this.#entries.delete(stepId);
    this.#shared?.drop(stepId);
  }

  get size(): number {
    return this.#entries.size;
  }

  held(): HeldStep[] {
    return Array.from(this.#entries, ([stepId, { token }]) => ({ stepId, token }));
  }
}
