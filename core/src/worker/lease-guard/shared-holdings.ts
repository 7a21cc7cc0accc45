import type { HeldStep } from "../../db/functions/index.js";

/** What a thread of another event loop can read: when the clock of both says the same. */
export const sharedNowMs = (): number => performance.timeOrigin + performance.now();

const FIELDS = 3;
const NEVER = 0n;

/**
 * The steps that a host holds, in memory that two threads share. One writes; the other reads when the first cannot
 * do anything any more. A step too many for its capacity is simply not in it.
 */
export class SharedHoldings {
  /** Per place: step id (0 = empty), token, deadline (ms, 0 = none). The first cell: when leases were last renewed. */
  readonly #cells: BigInt64Array;
  readonly #places = new Map<bigint, number>();
  readonly #empty: number[] = [];
  readonly #graceMs: number;
  #used = 0;

  /** @param graceMs how long after its time a step is still held: its answer may be on the way */
  constructor(buffer: SharedArrayBuffer, graceMs: number) {
    this.#cells = new BigInt64Array(buffer);
    this.#graceMs = graceMs;
  }

  static allocate(steps: number): SharedArrayBuffer {
    return new SharedArrayBuffer((1 + steps * FIELDS) * BigInt64Array.BYTES_PER_ELEMENT);
  }

  get renewedAtMs(): number {
    return Number(Atomics.load(this.#cells, 0));
  }

  set renewedAtMs(ms: number) {
    Atomics.store(this.#cells, 0, BigInt(Math.round(ms)));
  }

  /** @param withinMs how long its handler may take; null as long as it is with none */
  keep(stepId: bigint, token: number, withinMs: number | null): void {
    const place = this.#places.get(stepId) ?? this.#emptyPlace();
    if (place === undefined) return;
    this.#places.set(stepId, place);
    const deadlineMs = withinMs === null ? 0 : sharedNowMs() + withinMs + this.#graceMs;
    // A reader that comes in between sees an empty place.
    Atomics.store(this.#cells, place, NEVER);
    Atomics.store(this.#cells, place + 1, BigInt(token));
    Atomics.store(this.#cells, place + 2, BigInt(Math.round(deadlineMs)));
    Atomics.store(this.#cells, place, stepId);
  }

  drop(stepId: bigint): void {
    const place = this.#places.get(stepId);
    if (place === undefined) return;
    this.#places.delete(stepId);
    Atomics.store(this.#cells, place, NEVER);
    this.#empty.push(place);
  }

  /** For the reader: what is held and not past its deadline. */
  held(nowMs: number): HeldStep[] {
    const held: HeldStep[] = [];
    for (let place = 1; place < this.#cells.length; place += FIELDS) {
      const stepId = Atomics.load(this.#cells, place);
      if (stepId === NEVER) continue;
      const token = Number(Atomics.load(this.#cells, place + 1));
      const deadlineMs = Number(Atomics.load(this.#cells, place + 2));
      // Changed while it was read: the next round sees it.
      if (Atomics.load(this.#cells, place) !== stepId) continue;
      if (deadlineMs === 0 || deadlineMs > nowMs) held.push({ stepId, token });
    }
    return held;
  }

  #emptyPlace(): number | undefined {
    const reused = this.#empty.pop();
    if (reused !== undefined) return reused;
    const place = 1 + this.#used * FIELDS;
    if (place + FIELDS > this.#cells.length) return undefined;
    this.#used += 1;
    return place;
  }
}
