import {
  type BaseSubscriber,
  type DomainEvent,
  type DomainEventEnvelope,
  type DomainEventSource,
  toDomainEvent,
} from "../domain-events/index.js";
import { matchesAny } from "../event-pattern.js";
import type { LifecycleSubscription } from "../events/event-subscriber.js";
import type { LifecycleEvent } from "../events/lifecycle-event.js";
import type { LogSink } from "../logger.js";
import { messageOf } from "../thrown.js";

interface Listener {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly call: (event: never) => void | Promise<void>;
}

const MAX_PATTERNS = 256;
const MAX_WAITING = 256;

/** Who in this process listens to events of the host. One event after the other; what a listener throws is logged. */
export class EventFeed implements DomainEventSource {
  readonly #lifecycle: Listener[] = [];
  readonly #domain = new Set<Listener>();
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly failed = { lifecycle: 0, domain: 0 };
  #isRunning = false;
  #log: LogSink;
  /** Told when the patterns may have changed. */
  onChange: () => void = () => {};
  /** Told when nothing waits any more. */
  onIdle: () => void = () => {};

  constructor(log: LogSink) {
    this.#log = log;
  }

  addLifecycle(subscriptions: readonly LifecycleSubscription[]): void {
    for (const { name, patterns, handle } of subscriptions) {
      this.#lifecycle.push({ name, patterns, call: handle });
    }
    this.onChange();
  }

  addSubscribers(subscribers: readonly BaseSubscriber[]): void {
    for (const subscriber of subscribers) {
      if (subscriber.active) continue;
      subscriber.logSink = this.#log;
      subscriber.start(this);
    }
  }

  subscribe(
    patterns: readonly string[],
    callback: (event: DomainEvent) => void | Promise<void>,
  ): () => void {
    const listener = { name: "subscriber", patterns, call: callback };
    this.#domain.add(listener);
    this.onChange();
    return () => {
      this.#domain.delete(listener);
      this.onChange();
    };
  }

  get interest(): { readonly lifecycleEvents: string[]; readonly domainEvents: string[] } {
    return {
      lifecycleEvents: patternsOf(this.#lifecycle),
      domainEvents: patternsOf([...this.#domain]),
    };
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** False when more waits than the host may send. */
  offer(stream: "lifecycle" | "domain", name: string, body: string, done: () => void): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.submit(async () => {
      try {
        await this.#deliver(stream, name, body);
      } finally {
        done();
      }
    });
    return true;
  }

  /** Runs something behind the events that came before it. */
  submit(work: () => void | Promise<void>): void {
    this.#waiting.push(async () => await work());
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) {
      try {
        await work();
      } catch (error) {
        this.#log("error", "An event could not be handled", { reason: messageOf(error) });
      }
    }
    this.#isRunning = false;
    this.onIdle();
  }

  async #deliver(stream: "lifecycle" | "domain", name: string, body: string): Promise<void> {
    const parsed: unknown = JSON.parse(body);
    const event: LifecycleEvent | DomainEvent =
      stream === "domain"
        ? toDomainEvent(parsed as DomainEventEnvelope)
        : (parsed as LifecycleEvent);
    const listeners = stream === "domain" ? [...this.#domain] : this.#lifecycle;
    for (const listener of listeners) {
      if (!matchesAny(listener.patterns, name)) continue;
      try {
        await listener.call(event as never);
      } catch (error) {
        this.failed[stream]++;
        const reason = messageOf(error);
        this.#log("error", "A subscriber failed", {
          event: name,
          subscriber: listener.name,
          reason,
        });
      }
    }
  }
}

function patternsOf(listeners: readonly Listener[]): string[] {
  const unique = [...new Set(listeners.flatMap(({ patterns }) => patterns))];
  return unique.length <= MAX_PATTERNS ? unique : ["*"];
}
