import { processWide } from "../process-wide.js";
import type { BaseSubscriber, DomainEventSource, SubscriberClass } from "./subscriber.js";

/** Subscribers that start and stop together. Hosts start those that handler files registered here. */
export class SubscriberRegistry {
  readonly #classes = new Set<SubscriberClass>();
  readonly #subscribers = new Set<BaseSubscriber>();
  #isStarted = false;

  /** The one of this process. */
  static get instance(): SubscriberRegistry {
    return processWide("subscriber-registry", () => new SubscriberRegistry());
  }

  /** One object is made of the class, however often it is registered. */
  register(type: SubscriberClass): void {
    if (this.#classes.has(type)) return;
    this.#classes.add(type);
    this.#subscribers.add(new type());
  }

  registerInstance(subscriber: BaseSubscriber): void {
    this.#subscribers.add(subscriber);
  }

  startAll(source: DomainEventSource): void {
    for (const subscriber of this.#subscribers) subscriber.start(source);
    this.#isStarted = true;
  }

  stopAll(): void {
    for (const subscriber of this.#subscribers) subscriber.stop();
    this.#isStarted = false;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get count(): number {
    return this.#subscribers.size;
  }

  get subscribers(): BaseSubscriber[] {
    return [...this.#subscribers];
  }

  get stats(): { readonly count: number; readonly active: number; readonly patterns: string[] } {
    const subscribers = this.subscribers;
    return {
      count: subscribers.length,
      active: subscribers.filter((subscriber) => subscriber.active).length,
      patterns: [...new Set(subscribers.flatMap((subscriber) => subscriber.subscriptions))],
    };
  }

  /** Stopped and empty: for tests. */
  reset(): void {
    this.stopAll();
    this.#classes.clear();
    this.#subscribers.clear();
  }
}
