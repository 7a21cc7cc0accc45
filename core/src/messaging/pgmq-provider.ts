import type { Queryable } from "../db/index.js";
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

export interface PgmqProviderOptions {
  /** A pool; or a transaction, and then what is sent and acknowledged is part of it. */
  readonly db: Queryable;
  /** How often a waiting receiver looks. */
  readonly pollIntervalMs: number;
}

interface MessageRow {
  msg_id: bigint;
  read_ct: number;
  enqueued_at: Date;
  vt: Date;
  message: string;
  headers: string | null;
}

const UNDEFINED_TABLE = "42P01";
const RETURNED = "q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers";
/** The deliveries named by two arrays, each still the latest of its message. */
const NAMED = "(q.msg_id, q.read_ct) in (select * from unnest($1::bigint[], $2::integer[]))";

/**
 * Queues of the extension PGMQ, or of its SQL without the extension. Tables are read by column names and times come from
 * `tasker.now()`, with milliseconds where PGMQ's own functions count seconds; every PGMQ client can share the queues.
 */
export class PgmqProvider implements MessagingProvider {
  readonly kind = "pgmq";
  readonly #options: PgmqProviderOptions;
  readonly #closing = new AbortController();

  constructor(options: PgmqProviderOptions) {
    this.#options = options;
  }

  async createQueue(queue: string): Promise<boolean> {
    // One statement, so that of several callers one creates it: the lock is held until its commit.
    const rows = await this.#on<{ created: boolean }>(
      queue,
      `with held as materialized (select pg_advisory_xact_lock(hashtextextended('tasker.queue.' || lower($1), 0)))
       select case when to_regclass('pgmq.q_' || lower($1)) is null then pgmq.create($1) is not null else false end as created
       from held`,
      [checkQueueName(queue)],
    );
    return rows[0]?.created ?? false;
  }

  async dropQueue(queue: string): Promise<boolean> {
    const rows = await this.#on<{ dropped: boolean }>(
      queue,
      "select pgmq.drop_queue(m.queue_name) as dropped from pgmq.meta m where lower(m.queue_name) = lower($1)",
      [checkQueueName(queue)],
    );
    return rows[0]?.dropped ?? false;
  }

  async listQueues(): Promise<string[]> {
    const rows = await this.#on<{ queue_name: string }>(
      "",
      'select queue_name from pgmq.meta order by queue_name collate "C"',
      [],
    );
    return rows.map((row) => row.queue_name);
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
    const rows = await this.#on<{ msg_id: bigint }>(
      queue,
      `insert into ${tableOf(queue)} (vt, message, headers)
       select tasker.now() + $2 * interval '1 millisecond', sent.message::jsonb, $3::jsonb
       from unnest($1::text[]) with ordinality as sent (message, place) order by sent.place
       returning msg_id`,
      [
        messages.map((message) => JSON.stringify(message)),
        delayMs,
        headers === undefined ? null : JSON.stringify(headers),
      ],
    );
    return rows.map((row) => row.msg_id).sort(ascending);
  }

  async receive(queue: string, options: ReceiveOptions): Promise<ReceivedMessage[]> {
    const { visibilityTimeoutMs, limit = 1, containing, waitMs = 0, signal } = options;
    const filter = containing === undefined ? null : JSON.stringify(containing);
    const look = async (): Promise<ReceivedMessage[]> => {
      const rows = await this.#on<MessageRow>(
        queue,
        `with taken as materialized (
           select t.msg_id from ${tableOf(queue)} t
           where t.vt <= tasker.now() and ($3::jsonb is null or t.message @> $3::jsonb)
           order by t.msg_id limit $2 for update skip locked)
         update ${tableOf(queue)} q
         set vt = tasker.now() + $1 * interval '1 millisecond', read_ct = q.read_ct + 1
         from taken where q.msg_id = taken.msg_id returning ${RETURNED}`,
        [visibilityTimeoutMs, limit, filter],
      );
      return rows.map(received).sort((a, b) => ascending(a.id, b.id));
    };
    const ends = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    return await waitForMessages(look, {
      waitMs,
      pause: pollEvery(this.#options.pollIntervalMs),
      signal: AbortSignal.any(ends),
    });
  }

  async receiveOne(
    queue: string,
    id: MessageId,
    visibilityTimeoutMs: number,
  ): Promise<ReceivedMessage | null> {
    const rows = await this.#on<MessageRow>(
      queue,
      `update ${tableOf(queue)} q
       set vt = tasker.now() + $2 * interval '1 millisecond', read_ct = q.read_ct + 1
       where q.msg_id = $1 and q.vt <= tasker.now() returning ${RETURNED}`,
      [id, visibilityTimeoutMs],
    );
    return rows[0] === undefined ? null : received(rows[0]);
  }

  async ack(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]> {
    return await this.#answer(
      queue,
      deliveries,
      `delete from ${tableOf(queue)} q where ${NAMED} returning q.msg_id`,
    );
  }

  async nack(queue: string, deliveries: readonly Delivery[], delayMs = 0): Promise<MessageId[]> {
    return await this.extend(queue, deliveries, delayMs);
  }

  async archive(queue: string, deliveries: readonly Delivery[]): Promise<MessageId[]> {
    return await this.#answer(
      queue,
      deliveries,
      `with gone as (delete from ${tableOf(queue)} q where ${NAMED} returning ${RETURNED})
       insert into ${tableOf(queue, "a")} (msg_id, read_ct, enqueued_at, vt, message, headers)
       select msg_id, read_ct, enqueued_at, vt, message, headers from gone returning msg_id`,
    );
  }

  async extend(
    queue: string,
    deliveries: readonly Delivery[],
    visibilityTimeoutMs: number,
  ): Promise<MessageId[]> {
    return await this.#answer(
      queue,
      deliveries,
      `update ${tableOf(queue)} q set vt = tasker.now() + $3 * interval '1 millisecond'
       where ${NAMED} returning q.msg_id`,
      [visibilityTimeoutMs],
    );
  }

  async purge(queue: string): Promise<number> {
    const rows = await this.#on<{ purged: bigint }>(
      queue,
      `with gone as (delete from ${tableOf(queue)} returning 1) select count(*) as purged from gone`,
      [],
    );
    return Number(rows[0]?.purged ?? 0);
  }

  async metrics(queue: string): Promise<QueueMetrics> {
    const [row] = await this.#on<Record<"depth" | "visible" | "total", bigint> & Ages>(
      queue,
      `select count(*) as depth, count(*) filter (where q.vt <= tasker.now()) as visible,
         extract(epoch from tasker.now() - min(q.enqueued_at))::float8 * 1000 as oldest,
         extract(epoch from tasker.now() - max(q.enqueued_at))::float8 * 1000 as newest,
         (select m.total_messages from pgmq.metrics($1) m) as total
       from ${tableOf(queue)} q`,
      [queue],
    );
    return {
      queue,
      depth: Number(row?.depth ?? 0),
      visible: Number(row?.visible ?? 0),
      oldestAgeMs: row?.oldest ?? null,
      newestAgeMs: row?.newest ?? null,
      totalSent: Number(row?.total ?? 0),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(providerClosed());
  }

  async #answer(
    queue: string,
    deliveries: readonly Delivery[],
    text: string,
    more: readonly unknown[] = [],
  ): Promise<MessageId[]> {
    const ids = deliveries.map((one) => one.id);
    const counts = deliveries.map((one) => one.readCount);
    const rows = await this.#on<{ msg_id: bigint }>(queue, text, [ids, counts, ...more]);
    return rows.map((row) => row.msg_id).sort(ascending);
  }

  async #on<Row>(queue: string, text: string, values: readonly unknown[]): Promise<Row[]> {
    this.#closing.signal.throwIfAborted();
    try {
      return (await this.#options.db.query<Row>(text, values)).rows;
    } catch (error) {
      const isMissing = error instanceof Error && "code" in error && error.code === UNDEFINED_TABLE;
      throw isMissing ? queueNotFound(queue, error) : error;
    }
  }
}

interface Ages {
  oldest: number | null;
  newest: number | null;
}

/** The queue's table, or its archive; PGMQ writes both in lower case. */
function tableOf(queue: string, kind: "q" | "a" = "q"): string {
  return `pgmq."${kind}_${checkQueueName(queue).toLowerCase()}"`;
}

function received(row: MessageRow): ReceivedMessage {
  return {
    id: row.msg_id,
    readCount: row.read_ct,
    enqueuedAt: row.enqueued_at,
    visibleAt: row.vt,
    message: JSON.parse(row.message),
    text: row.message,
    headers: row.headers === null ? null : JSON.parse(row.headers),
  };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
