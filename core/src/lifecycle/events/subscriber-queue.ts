import { messageOf } from "../../errors/index.js";
import { HighWater } from "../../lib/high-water.js";
import type { Logger } from "../../observability/index.js";

/** What happens to events that a subscriber has no room for. */
export type Overflow = "drop_oldest" | "drop_newest";

export interface QueueLimits {
  /** Events waiting for one subscriber at most. */
  readonly capacity: number;
  readonly overflow: Overflow;
  /** A subscriber that takes longer for one event is called slow. */
  readonly slowAfterMs: number;
  readonly logsErrors: boolean;
  readonly logsDrops: boolean;
}

export interface SubscriberCounts {
  delivered: number;
  failed: number;
  dropped: number;
  slow: number;
}

export interface SubscriberQueueDeps<Event> {
  readonly name: string;
  readonly handle: (event: Event) => void | Promise<void>;
  readonly limits: QueueLimits;
  readonly counts: SubscriberCounts;
  readonly logger: Logger;
}

const EVENTS_PER_TURN = 64;

/**
 * The events that wait for one subscriber, handed over one after the other in turns of their own: whoever publishes never
 * waits for it, and nothing it throws gets back.
 */
export class SubscriberQueue<Event> {
  readonly #deps: SubscriberQueueDeps<Event>;
  readonly highWater = new HighWater();
  readonly #waiting: Event[] = [];
  #draining: Promise<void> | null = null;
  #isClosed = false;
  #hasDropped = false;

  constructor(deps: SubscriberQueueDeps<Event>) {
    this.#deps = deps;
  }

  push(event: Event): void {
    if (this.#isClosed) return;
    const { limits, counts } = this.#deps;
    if (this.#waiting.length >= limits.capacity) {
      counts.dropped += 1;
      this.#reportDrops();
      if (limits.overflow === "drop_newest") return;
      this.#waiting.shift();
    }
    this.#waiting.push(event);
    this.highWater.record(this.#waiting.length);
    this.#draining ??= this.#drain();
  }

  get name(): string {
    return this.#deps.name;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get limits(): QueueLimits {
    return this.#deps.limits;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#draining !== null) await this.#draining;
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  async #drain(): Promise<void> {
    for (let n = 0; this.#waiting.length > 0; n += 1) {
      // First let the publisher finish its turn; later, the sockets be read.
      if (n % EVENTS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      const event = this.#waiting.shift();
      if (event !== undefined) await this.#deliver(event);
    }
    this.#hasDropped = false;
    this.#draining = null;
  }

  async #deliver(event: Event): Promise<void> {
    const { handle, counts, limits, logger, name } = this.#deps;
    const startedAt = performance.now();
    try {
      const running = handle(event);
      if (running !== undefined) await this.#watched(running);
      counts.delivered += 1;
    } catch (error) {
      counts.failed += 1;
      if (limits.logsErrors) {
        logger.error(
          { err: error, subscriber: name },
          `subscriber ${name} failed: ${messageOf(error)}`,
        );
      }
    }
    if (performance.now() - startedAt > limits.slowAfterMs) counts.slow += 1;
  }

  /** Says so while a subscriber hangs, not only once it has ended. */
  async #watched(running: Promise<void>): Promise<void> {
    const { limits, logger, name } = this.#deps;
    const timer = setTimeout(() => {
      logger.warn(
        { subscriber: name, slow_after_ms: limits.slowAfterMs },
        `subscriber ${name} is slow: events wait for it, and beyond ${limits.capacity} are dropped`,
      );
    }, limits.slowAfterMs);
    timer.unref();
    try {
      await running;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Once per run of losses: a flood of events is no reason for a flood of records. */
  #reportDrops(): void {
    const { limits, logger, name } = this.#deps;
    if (this.#hasDropped || !limits.logsDrops) return;
    this.#hasDropped = true;
    logger.warn(
      { subscriber: name, capacity: limits.capacity },
      `subscriber ${name} cannot keep up: events are dropped`,
    );
  }
}
