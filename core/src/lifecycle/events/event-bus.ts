import { setTimeout as sleep } from "node:timers/promises";
import { matchesAny } from "@tasker-core/sdk/host";
import type { Logger } from "../../observability/index.js";
import { type QueueLimits, type SubscriberCounts, SubscriberQueue } from "./subscriber-queue.js";

export interface SubscribeOptions {
  /** For logs; default the handler function's name. */
  readonly name?: string;
  readonly capacity?: number;
  readonly overflow?: QueueLimits["overflow"];
}

/** A subscription whose patterns may change; what waits in its queue stays. */
export interface OpenSubscription {
  /** None: it gets nothing, and costs nothing. */
  setPatterns(patterns: readonly string[]): void;
  close(): void;
}

interface Subscription<Event> {
  patterns: readonly string[];
  readonly queue: SubscriberQueue<Event>;
}

// Names are few; a caller that makes them up must not fill the memory.
const MAX_REMEMBERED_NAMES = 1000;

/**
 * Hands events to subscribers of this process. Publishing never waits, never throws, and builds nothing when nobody
 * listens. Each subscriber has a bounded queue of its own.
 */
export class EventBus<Event> {
  readonly #limits: QueueLimits;
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription<Event>>();
  /** Who gets an event of a name; emptied when subscriptions change. */
  readonly #listening = new Map<string, readonly Subscription<Event>[]>();
  readonly counts: SubscriberCounts;

  constructor(
    limits: QueueLimits,
    logger: Logger,
    counts: SubscriberCounts = { delivered: 0, failed: 0, dropped: 0, slow: 0 },
  ) {
    this.#limits = limits;
    this.#logger = logger;
    this.counts = counts;
  }

  /** @param patterns exact names, `prefix.*`, or `*`; an event that several of them match is handed over once */
  subscribe(
    patterns: string | readonly string[],
    handle: (event: Event) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): () => void {
    const { setPatterns, close } = this.open(handle, options);
    setPatterns([patterns].flat());
    return close;
  }

  /** A subscription to nothing as yet. */
  open(
    handle: (event: Event) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): OpenSubscription {
    const { name = handle.name || "anonymous", ...limits } = options;
    const queue = new SubscriberQueue<Event>({
      name,
      handle,
      limits: { ...this.#limits, ...limits },
      counts: this.counts,
      logger: this.#logger,
    });
    const subscription: Subscription<Event> = { patterns: [], queue };
    return {
      setPatterns: (patterns) => {
        subscription.patterns = patterns;
        if (patterns.length > 0) this.#subscriptions.add(subscription);
        else this.#subscriptions.delete(subscription);
        this.#listening.clear();
      },
      close: () => {
        this.#subscriptions.delete(subscription);
        this.#listening.clear();
        queue.close();
      },
    };
  }

  /** One per subscriber: how much waits for it. */
  queues(): Pick<SubscriberQueue<Event>, "name" | "size" | "limits" | "highWater">[] {
    return Array.from(this.#subscriptions, ({ queue }) => queue);
  }

  /** Whether anybody gets events at all: asked on the hot path. */
  get isIdle(): boolean {
    return this.#subscriptions.size === 0;
  }

  wants(name: string): boolean {
    return this.#subscriptions.size > 0 && this.#subscribersOf(name).length > 0;
  }

  publish(name: string, event: Event): void {
    if (this.#subscriptions.size === 0) return;
    for (const { queue } of this.#subscribersOf(name)) queue.push(event);
  }

  /** Waits until subscribers have seen what was published, `timeoutMs` at most; then nothing is delivered any more. */
  async close(timeoutMs: number): Promise<void> {
    const timer = new AbortController();
    const idle = this.idle();
    const late = sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([idle, late]);
    timer.abort();
    for (const { queue } of this.#subscriptions) queue.close();
    this.#subscriptions.clear();
    this.#listening.clear();
  }

  /** What will still publish. */
  protected get pending(): Promise<void> | null {
    return null;
  }

  /** Resolves when what was published so far has been handed over. */
  async idle(): Promise<void> {
    await this.pending;
    await Promise.all([...this.#subscriptions].map(({ queue }) => queue.idle()));
  }

  #subscribersOf(name: string): readonly Subscription<Event>[] {
    const known = this.#listening.get(name);
    if (known !== undefined) return known;
    const found = [...this.#subscriptions].filter(({ patterns }) => matchesAny(patterns, name));
    if (this.#listening.size >= MAX_REMEMBERED_NAMES) this.#listening.clear();
    this.#listening.set(name, found);
    return found;
  }
}
