import type { Clock } from "../lib/clock.js";

/** Counts messages nobody could act on; a peer that sends many does not speak this protocol. */
export class FaultWindow {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #times: number[] = [];

  constructor(clock: Clock, limit = 10, windowMs = 60_000) {
    this.#clock = clock;
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Adds a fault; true when there were too many within the window. */
  add(): boolean {
    const nowMs = this.#clock.nowMs();
    this.#times.push(nowMs);
    if (this.#times.length > this.#limit) this.#times.shift();
    return this.#times.length === this.#limit && nowMs - this.#times[0]! <= this.#windowMs;
  }
}
