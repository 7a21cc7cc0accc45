import type { FfiDispatchChannel } from "../channels/index.js";
import type { HeldStep } from "../db/functions/index.js";

interface Entry {
  readonly token: number;
  readonly delivery?: { readonly deliveryId: string; readonly channel: FfiDispatchChannel };
}

/** What is leased to this host, from the claim until the database has decided on the result. */
export class Ledger {
  readonly #entries = new Map<bigint, Entry>();

  add(stepId: bigint, token: number): void {
    this.#entries.set(stepId, { token });
  }

  /** The step has been put into a channel as this delivery. */
  delivered(stepId: bigint, token: number, deliveryId: string, channel: FfiDispatchChannel): void {
    this.#entries.set(stepId, { token, delivery: { deliveryId, channel } });
  }

  /** Forgets a step, unless a newer lease on it was taken meanwhile. */
  remove(stepId: bigint, token: number): void {
    if (this.#entries.get(stepId)?.token === token) this.#entries.delete(stepId);
  }

  /** The lease is another worker's now: the handler is told to stop, and its answer will be stale. */
  lost(stepId: bigint): void {
    const delivery = this.#entries.get(stepId)?.delivery;
    this.#entries.delete(stepId);
    delivery?.channel.cancel(delivery.deliveryId, "lease_lost");
  }

  get size(): number {
    return this.#entries.size;
  }

  held(): HeldStep[] {
    return Array.from(this.#entries, ([stepId, { token }]) => ({ stepId, token }));
  }
}
