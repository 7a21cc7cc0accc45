import type { CancelReason, HandlerEvent, StepDelivery } from "../channels/index.js";
import type { Clock, Timer } from "../lib/clock.js";

/** A delivery the peer has and has not answered. */
export interface InFlight {
  readonly delivery: StepDelivery;
  readonly sentAtMs: number;
  /** When something has to happen without an answer: first `cancel`, then giving up. */
  dueAtMs: number;
  /** Why it was asked to stop; null while nobody has. */
  cancelled: CancelReason | null;
  /** Its answer is on the way to the sink. */
  isAnswered: boolean;
  /** What its publishers sent so far: it goes with the answer. */
  events: HandlerEvent[] | null;
}

/** Remembers at least this many answered deliveries, to tell a late answer from nonsense. */
const RECENT = 512;

/**
 * What one peer holds. One timer for the earliest deadline, not one per delivery: at thousands of steps per second
 * it is set once per timeout.
 */
export class InFlightTable {
  readonly #clock: Clock;
  readonly #onDue: (entry: InFlight) => void;
  readonly #entries = new Map<string, InFlight>();
  /** Given up by the host, perhaps still running in the peer: their slots are taken. */
  readonly #abandoned = new Set<string>();
  /** Two generations: forgetting a whole one at a time is cheaper than the oldest entry each time. */
  #recent = new Set<string>();
  #lessRecent = new Set<string>();
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (entry: InFlight) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#entries.size;
  }

  get abandonedCount(): number {
    return this.#abandoned.size;
  }

  get(deliveryId: string): InFlight | undefined {
    return this.#entries.get(deliveryId);
  }

  /** Without an answer so far. */
  unanswered(): string[] {
    return [...this.#entries.values()].flatMap((entry) =>
      entry.isAnswered ? [] : entry.delivery.deliveryId,
    );
  }

  add(delivery: StepDelivery): void {
    const nowMs = this.#clock.nowMs();
    const dueAtMs = nowMs + delivery.timeoutMs;
    this.#entries.set(delivery.deliveryId, {
      delivery,
      sentAtMs: nowMs,
      dueAtMs,
      cancelled: null,
      isAnswered: false,
      events: null,
    });
    this.#wakeAt(dueAtMs);
  }

  /** Its deadline counts from now. */
  restart(entry: InFlight): void {
    if (entry.cancelled === null) entry.dueAtMs = this.#clock.nowMs() + entry.delivery.timeoutMs;
  }

  markCancelled(entry: InFlight, reason: CancelReason, graceMs: number): void {
    entry.cancelled = reason;
    entry.dueAtMs = this.#clock.nowMs() + graceMs;
    this.#wakeAt(entry.dueAtMs);
  }

  finish(deliveryId: string): void {
    this.#entries.delete(deliveryId);
    if (this.#recent.size === RECENT) {
      this.#lessRecent = this.#recent;
      this.#recent = new Set();
    }
    this.#recent.add(deliveryId);
  }

  abandon(deliveryId: string): void {
    this.finish(deliveryId);
    this.#abandoned.add(deliveryId);
  }

  /** A late answer: `abandoned` gives its slot back, `recent` is merely late, `unknown` was never here. */
  recall(deliveryId: string): "abandoned" | "recent" | "unknown" {
    if (this.#abandoned.delete(deliveryId)) return "abandoned";
    const isRecent = this.#recent.has(deliveryId) || this.#lessRecent.has(deliveryId);
    return isRecent ? "recent" : "unknown";
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.max(1, Math.ceil(atMs - this.#clock.nowMs()));
    this.#timer = this.#clock.setTimer(delayMs, () => this.#sweep());
  }

  #sweep(): void {
    this.close();
    const nowMs = this.#clock.nowMs();
    const waiting = (): InFlight[] =>
      [...this.#entries.values()].filter((entry) => !entry.isAnswered);
    for (const entry of waiting()) if (entry.dueAtMs <= nowMs) this.#onDue(entry);
    const earliest = Math.min(...waiting().map((entry) => entry.dueAtMs));
    if (earliest !== Number.POSITIVE_INFINITY) this.#wakeAt(earliest);
  }
}
