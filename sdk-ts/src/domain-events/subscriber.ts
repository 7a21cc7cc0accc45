import { DOMAIN_EVENT_SUBSCRIBER, hasBrand } from "../brand.js";
import { matchesAny } from "../event-pattern.js";
import { type LogSink, silentSink } from "../logger.js";
import { type EventLogger, eventLogger } from "./event-logger.js";
import type { DomainEvent } from "./types.js";

/** Where subscribers get events from; the host is one. */
export interface DomainEventSource {
  subscribe(
    patterns: readonly string[],
    callback: (event: DomainEvent) => void | Promise<void>,
  ): () => void;
}

/**
 * Handles domain events whose `delivery_mode` is `fast` or `broadcast`, in the process that ran the step. What `handle`
 * throws goes to `onHandleError`, is logged and counted, and changes nothing.
 */
export abstract class BaseSubscriber {
  /** Patterns of one subscriber object; they win over `subscribesTo`. */
  readonly patterns?: readonly string[];
  /** Set by the host. */
  logSink: LogSink = silentSink;
  protected readonly logger: EventLogger = eventLogger(() => this.logSink);
  #stop: (() => void) | null = null;

  /** Exact names, `prefix.*`, or `*`. */
  static subscribesTo(): string[] {
    return ["*"];
  }

  get [DOMAIN_EVENT_SUBSCRIBER](): true {
    return true;
  }

  abstract handle(event: DomainEvent): void | Promise<void>;

  /** False passes the event over. */
  beforeHandle(_event: DomainEvent): boolean {
    return true;
  }

  afterHandle(_event: DomainEvent): void {}

  onHandleError(_event: DomainEvent, _error: unknown): void {}

  matches(name: string): boolean {
    return matchesAny(this.subscriptions, name);
  }

  get subscriptions(): readonly string[] {
    return this.patterns ?? (this.constructor as typeof BaseSubscriber).subscribesTo();
  }

  get active(): boolean {
    return this.#stop !== null;
  }

  /** A second start is without effect. */
  start(source: DomainEventSource): void {
    this.#stop ??= source.subscribe(this.subscriptions, (event) => this.#deliver(event));
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  async #deliver(event: DomainEvent): Promise<void> {
    try {
      if (this.beforeHandle(event) === false) return;
      await this.handle(event);
      this.afterHandle(event);
    } catch (error) {
      this.onHandleError(event, error);
      throw error; // the source logs and counts it
    }
  }
}

export type SubscriberClass = new () => BaseSubscriber;

/** From whichever copy of the package. */
export function isSubscriber(value: unknown): value is BaseSubscriber {
  return typeof value === "object" && hasBrand(value, DOMAIN_EVENT_SUBSCRIBER);
}

/** A subclass of BaseSubscriber, from whichever copy: constructed without arguments. */
export function isSubscriberClass(value: unknown): value is SubscriberClass {
  if (typeof value !== "function") return false;
  const { prototype } = value as { readonly prototype?: object };
  if (typeof prototype !== "object" || prototype === null) return false;
  // The base itself has the brand as its own; subclasses inherit it.
  return DOMAIN_EVENT_SUBSCRIBER in prototype && !Object.hasOwn(prototype, DOMAIN_EVENT_SUBSCRIBER);
}
