/** The number of a message in its queue: later ones have higher numbers. */
export type MessageId = bigint;

/** One delivery of a message. Whoever answers it names `id` and `readCount`, so an answer that comes too late is known. */
export interface Delivery {
  readonly id: MessageId;
  /** 1 the first time. */
  readonly readCount: number;
}

export interface ReceivedMessage extends Delivery {
  readonly enqueuedAt: Date;
  /** Until then nobody else gets it. */
  readonly visibleAt: Date;
  /** Any JSON value. */
  readonly message: unknown;
  /** Its JSON text: numbers as they were sent. */
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>> | null;
}

export interface SendOptions {
  /** Nobody gets it before. Default 0. */
  readonly delayMs?: number;
  readonly headers?: Readonly<Record<string, unknown>>;
}

export interface ReceiveOptions {
  /** After this the message is delivered again, unless it was acknowledged or extended. */
  readonly visibilityTimeoutMs: number;
  /** Messages at most; default 1. */
  readonly limit?: number;
  /** Only messages that contain this, as `jsonb @>` has it. */
  readonly containing?: Readonly<Record<string, unknown>>;
  /** How long to wait for the first message; default 0: whatever is there. */
  readonly waitMs?: number;
  /** Ends the waiting: rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface QueueMetrics {
  readonly queue: string;
  /** Messages in the queue: waiting, delayed, and delivered but not acknowledged. */
  readonly depth: number;
  /** Those that could be received now. */
  readonly visible: number;
  /** Milliseconds since the oldest and the newest were sent; null for an empty queue. */
  readonly oldestAgeMs: number | null;
  readonly newestAgeMs: number | null;
  /** Ever sent. */
  readonly totalSent: number;
}

/**
 * Queues with at-least-once delivery, for everything but the engine's hot path (whose messages are moved by the SQL
 * functions that settle steps, in their own transactions). Messages come in the order of sending; one that was delivered
 * is hidden until its visibility timeout, then comes again.
 *
 * An answer to a delivery ({@link ack}, {@link nack}, {@link archive}, {@link extend}) holds only while that delivery is the
 * latest of its message. Each returns the ids it held for: what is missing there was delivered again or is gone.
 *
 * @throws StateError from every call: QUEUE_NAME_INVALID, QUEUE_NOT_FOUND, and CHANNEL_CLOSED after {@link close}
 */
export interface MessagingProvider {
  readonly kind: "pgmq" | "memory";
  /** False when it was there. */
  createQueue(queue: string): Promise<boolean>;
  /** With all of its messages. False when there was none. */
  dropQueue(queue: string): Promise<boolean>;
  /** In alphabetical order. */
  listQueues(): Promise<string[]>;
  send(queue: string, message: unknown, options?: SendOptions): Promise<MessageId>;
  /** All or none; ids in the order given. */
  sendBatch(
    queue: string,
    messages: readonly unknown[],
    options?: SendOptions,
  ): Promise<MessageId[]>;
  /** What is visible, oldest first. */
  receive(queue: string, options: ReceiveOptions): Promise<ReceivedMessage[]>;
  /** One message by its id; null when it is hidden or gone. */
  receiveOne(
    queue: string,
    id: MessageId,
    visibilityTimeoutMs: number,
  ): Promise<ReceivedMessage | null>;
  /** Done: the message is deleted. */
  ack(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]>;
  /** Not done: visible again after `delayMs`, default at once. */
  nack(queue: string, deliveries: readonly Delivery[], delayMs?: number): Promise<MessageId[]>;
  /** Given up on: out of the queue and kept aside. */
  archive(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]>;
  /** Still at it: hidden for another `visibilityTimeoutMs` from now. */
  extend(
    queue: string,
    deliveries: readonly Delivery[],
    visibilityTimeoutMs: number,
  ): Promise<MessageId[]>;
  /** Deletes every message, delivered ones included; returns how many. */
  purge(queue: string): Promise<number>;
  metrics(queue: string): Promise<QueueMetrics>;
  /** Ends waiting receivers. What is in durable queues stays. */
  close(): Promise<void>;
}
