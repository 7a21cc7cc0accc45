import { StateError } from "../errors/index.js";
import { containsJson } from "./contains-json.js";
import { checkQueueName, providerClosed, queueNotFound } from "./queue-names.js";
import type {
  Delivery,
  MessageId,
  MessagingProvider,
  QueueMetrics,
  ReceivedMessage,
  ReceiveOptions,
  SendOptions,
} from "./types.js";
import { pollEvery, waitForMessages } from "./wait-for-messages.js";

export interface MemoryProviderOptions {
  /** Messages that one queue holds at most; sending beyond that is refused with QUEUE_FULL. */
  readonly capacity: number;
  /** Milliseconds since the epoch; tests own it. Default the wall clock. */
  readonly now?: () => number;
}

interface Stored {
  readonly id: MessageId;
  /** JSON text: what a sender or a receiver changes later is its own business. */
  readonly message: string;
  readonly headers: string | null;
  readonly enqueuedAt: number;
  visibleAt: number;
  readCount: number;
}

interface Queue {
  /** In the order of sending. */
  readonly messages: Map<MessageId, Stored>;
  /** Newest kept, up to the capacity. */
  readonly archived: Stored[];
  sent: bigint;
}

/** Hidden messages come back by time, which nobody announces. */
const LOOK_MS = 5;

/** Queues of this process: gone with it. For tests, and for programs that need the interface without a database. */
export class MemoryProvider implements MessagingProvider {
  readonly kind = "memory";
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #queues = new Map<string, Queue>();
  readonly #closing = new AbortController();

  constructor({ capacity, now = Date.now }: MemoryProviderOptions) {
    this.#capacity = capacity;
    this.#now = now;
  }

  async createQueue(queue: string): Promise<boolean> {
    this.#closing.signal.throwIfAborted();
    const key = keyOf(queue);
    if (this.#queues.has(key)) return false;
    this.#queues.set(key, { messages: new Map(), archived: [], sent: 0n });
    return true;
  }

  async dropQueue(queue: string): Promise<boolean> {
    this.#closing.signal.throwIfAborted();
    return this.#queues.delete(keyOf(queue));
  }

  async listQueues(): Promise<string[]> {
    this.#closing.signal.throwIfAborted();
    return [...this.#queues.keys()].sort();
  }

  async send(queue: string, message: unknown, options?: SendOptions): Promise<MessageId> {
    const [id] = await this.sendBatch(queue, [message], options);
    if (id === undefined) throw queueNotFound(queue);
    return id;
  }

  async sendBatch(
    queue: string,
    messages: readonly unknown[],
    { delayMs = 0, headers }: SendOptions = {},
  ): Promise<MessageId[]> {
    const into = this.#queue(queue);
    if (into.messages.size + messages.length > this.#capacity) {
      throw new StateError(
        "QUEUE_FULL",
        `Queue \`${queue}\` holds ${into.messages.size} of at most ${this.#capacity} messages and has no room for ${messages.length} more`,
        { context: { queue } },
      );
    }
    const enqueuedAt = this.#now();
    return messages.map((message) => {
      into.sent += 1n;
      into.messages.set(into.sent, {
        id: into.sent,
        message: JSON.stringify(message),
        headers: headers === undefined ? null : JSON.stringify(headers),
        enqueuedAt,
        visibleAt: enqueuedAt + delayMs,
        readCount: 0,
      });
      return into.sent;
    });
  }

  async receive(queue: string, options: ReceiveOptions): Promise<ReceivedMessage[]> {
    const { visibilityTimeoutMs, limit = 1, containing, waitMs = 0, signal } = options;
    const look = async (): Promise<ReceivedMessage[]> => {
      const found: Stored[] = [];
      for (const stored of this.#queue(queue).messages.values()) {
        if (found.length >= limit) break;
        if (stored.visibleAt > this.#now()) continue;
        if (containing !== undefined && !containsJson(JSON.parse(stored.message), containing)) {
          continue;
        }
        found.push(stored);
      }
      return found.map((stored) => this.#deliver(stored, visibilityTimeoutMs));
    };
    const ends = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    return await waitForMessages(look, {
      waitMs,
      pause: pollEvery(LOOK_MS),
      signal: AbortSignal.any(ends),
    });
  }

  async receiveOne(
    queue: string,
    id: MessageId,
    visibilityTimeoutMs: number,
  ): Promise<ReceivedMessage | null> {
    const stored = this.#queue(queue).messages.get(id);
    if (stored === undefined || stored.visibleAt > this.#now()) return null;
    return this.#deliver(stored, visibilityTimeoutMs);
  }

  async ack(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]> {
    const { messages } = this.#queue(queue);
    return this.#answer(queue, deliveries, ({ id }) => messages.delete(id));
  }

  async nack(queue: string, deliveries: readonly Delivery[], delayMs = 0): Promise<MessageId[]> {
    return await this.extend(queue, deliveries, delayMs);
  }

  async archive(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]> {
    const { messages, archived } = this.#queue(queue);
    return this.#answer(queue, deliveries, (stored) => {
      messages.delete(stored.id);
      archived.push(stored);
      if (archived.length > this.#capacity) archived.shift();
    });
  }

  async extend(
    queue: string,
    deliveries: readonly Delivery[],
    visibilityTimeoutMs: number,
  ): Promise<MessageId[]> {
    return this.#answer(queue, deliveries, (stored) => {
      stored.visibleAt = this.#now() + visibilityTimeoutMs;
    });
  }

  async purge(queue: string): Promise<number> {
    const { messages } = this.#queue(queue);
    const purged = messages.size;
    messages.clear();
    return purged;
  }

  async metrics(queue: string): Promise<QueueMetrics> {
    const { messages, sent } = this.#queue(queue);
    const now = this.#now();
    const all = [...messages.values()];
    const [first, last] = [all[0], all.at(-1)];
    return {
      queue,
      depth: all.length,
      visible: all.filter((stored) => stored.visibleAt <= now).length,
      oldestAgeMs: first === undefined ? null : now - first.enqueuedAt,
      newestAgeMs: last === undefined ? null : now - last.enqueuedAt,
      totalSent: Number(sent),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(providerClosed());
    this.#queues.clear();
  }

  #queue(queue: string): Queue {
    this.#closing.signal.throwIfAborted();
    const found = this.#queues.get(keyOf(queue));
    if (found === undefined) throw queueNotFound(queue);
    return found;
  }

  #deliver(stored: Stored, visibilityTimeoutMs: number): ReceivedMessage {
    stored.visibleAt = this.#now() + visibilityTimeoutMs;
    stored.readCount += 1;
    return {
      id: stored.id,
      readCount: stored.readCount,
      enqueuedAt: new Date(stored.enqueuedAt),
      visibleAt: new Date(stored.visibleAt),
      message: JSON.parse(stored.message),
      text: stored.message,
      headers: stored.headers === null ? null : JSON.parse(stored.headers),
    };
  }

  #answer(
    queue: string,
    deliveries: readonly Delivery[],
    change: (stored: Stored) => void,
  ): MessageId[] {
    const { messages } = this.#queue(queue);
    const current = deliveries.filter(
      ({ id, readCount }) => messages.get(id)?.readCount === readCount,
    );
    return current
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .flatMap(({ id }) => {
        const stored = messages.get(id);
        if (stored === undefined) return []; // named twice
        change(stored);
        return [id];
      });
  }
}

/** Names that differ in case only are one queue, as with PGMQ's tables. */
function keyOf(queue: string): string {
  return checkQueueName(queue).toLowerCase();
}
