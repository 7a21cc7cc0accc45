import {
  type DomainEvent,
  type DomainEventEnvelope,
  matchesAny,
  toDomainEvent,
} from "@tasker-core/sdk/host";
import { messageOf } from "../errors/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";
import { domainEventQueue } from "./queue-names.js";
import type { MessagingProvider, ReceivedMessage } from "./types.js";

export interface ConsumerSettings {
  readonly visibilityTimeoutMs: number;
  /** Events taken at once at most. */
  readonly batchSize: number;
  /** Deliveries of one event before it is archived. */
  readonly maxDeliveries: number;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
}

export interface DomainEventConsumerOptions {
  readonly provider: MessagingProvider;
  readonly namespace: string;
  readonly settings: ConsumerSettings;
  readonly logger: Logger;
}

export interface ConsumerCounts {
  handled: number;
  /** Nobody subscribed to its name. */
  ignored: number;
  /** Deliveries that failed and come again. */
  retried: number;
  /** Given up on: failed too often, or not an event at all. */
  archived: number;
}

interface Subscription {
  readonly patterns: readonly string[];
  readonly handle: (event: DomainEvent) => void | Promise<void>;
}

/** Waiting receivers look for an end of the consumer this often at the latest. */
const WAIT_MS = 5_000;

/**
 * Consumes the durable domain events of a namespace. Each event is handled at least once, in the order published as far as
 * failures allow; consumers of one namespace, in any number of processes, share its events. An event is acknowledged when
 * every subscription that its name matches has handled it; one that fails comes again, later each time.
 */
export class DomainEventConsumer {
  readonly name: string;
  readonly counts: ConsumerCounts = { handled: 0, ignored: 0, retried: 0, archived: 0 };
  readonly #options: DomainEventConsumerOptions;
  readonly #queue: string;
  readonly #subscriptions = new Set<Subscription>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: DomainEventConsumerOptions) {
    this.#options = options;
    this.#queue = domainEventQueue(options.namespace);
    this.name = `domain-events/${options.namespace}`;
  }

  /** @param patterns exact names, `prefix.*`, or `*`. Subscribe before {@link start}: what nobody wants is acknowledged. */
  subscribe(patterns: string | readonly string[], handle: Subscription["handle"]): () => void {
    const subscription = { patterns: [patterns].flat(), handle };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
    };
  }

  /** Makes the queue when it is not there yet, and begins. */
  async start(): Promise<void> {
    await this.#options.provider.createQueue(this.#queue);
    this.#running ??= this.#run();
  }

  /** Finishes the event at hand; the others that were taken are given back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { provider, settings, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const batch = await provider.receive(this.#queue, {
          visibilityTimeoutMs: settings.visibilityTimeoutMs,
          limit: settings.batchSize,
          waitMs: WAIT_MS,
          signal,
        });
        await this.#handleAll(batch);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { err: error, queue: this.#queue },
          `events of ${this.#queue} could not be taken and are tried again: ${messageOf(error)}`,
        );
        await delay(settings.retryFirstMs, signal).catch(() => undefined);
      }
    }
  }

  async #handleAll(batch: readonly ReceivedMessage[]): Promise<void> {
    const { provider, settings, logger } = this.#options;
    const held = new Set(batch);
    // Those that wait for their turn are held as well as the one at hand.
    const keeping = setInterval(() => {
      provider
        .extend(this.#queue, [...held], settings.visibilityTimeoutMs)
        .catch((error: unknown) =>
          logger.debug({ err: error, queue: this.#queue }, "held events were not extended"),
        );
    }, settings.visibilityTimeoutMs / 3);
    try {
      for (const message of batch) {
        if (this.#stopping.signal.aborted) break;
        const answer = await this.#handle(message);
        // First: extending what was given back would hide it for longer than its delay.
        held.delete(message);
        await answer();
      }
      if (held.size > 0) await provider.nack(this.#queue, [...held]);
    } finally {
      clearInterval(keeping);
    }
  }

  /** Returns how to answer the delivery. */
  async #handle(received: ReceivedMessage): Promise<() => Promise<void>> {
    const event = eventOf(received);
    if (event === null) return () => this.#giveUp(received, "it is not a domain event");
    const wanted = [...this.#subscriptions].filter(({ patterns }) =>
      matchesAny(patterns, event.eventName),
    );
    try {
      for (const { handle } of wanted) await handle(event);
    } catch (error) {
      return () => this.#failed(received, event, error);
    }
    return async () => {
      await this.#options.provider.ack(this.#queue, [received]);
      this.counts[wanted.length > 0 ? "handled" : "ignored"] += 1;
    };
  }

  async #failed(received: ReceivedMessage, event: DomainEvent, error: unknown): Promise<void> {
    const { provider, settings, logger } = this.#options;
    if (received.readCount >= settings.maxDeliveries) {
      await this.#giveUp(received, `it failed ${received.readCount} times: ${messageOf(error)}`);
      return;
    }
    const doublings = received.readCount - 1;
    const retryMs = Math.min(settings.retryMaxMs, settings.retryFirstMs * 2 ** doublings);
    this.counts.retried += 1;
    logger.warn(
      { err: error, event: event.eventName, event_id: event.eventId, retry_ms: retryMs },
      `event ${event.eventName} failed and comes again: ${messageOf(error)}`,
    );
    await provider.nack(this.#queue, [received], retryMs);
  }

  async #giveUp(received: ReceivedMessage, why: string): Promise<void> {
    this.counts.archived += 1;
    this.#options.logger.error(
      { queue: this.#queue, message_id: received.id.toString() },
      `message ${received.id} of ${this.#queue} was archived: ${why}`,
    );
    await this.#options.provider.archive(this.#queue, [received]);
  }
}

/** Anybody may send to the queue: null for what is not an envelope. */
function eventOf({ message }: ReceivedMessage): DomainEvent | null {
  try {
    const event = toDomainEvent(message as DomainEventEnvelope);
    return typeof event.eventName === "string" ? event : null;
  } catch {
    return null;
  }
}
