import pg from "pg";
import { typeParsers } from "./type-parsers.js";

export interface QueryResult<Row> {
  readonly rows: Row[];
  /** Rows returned or changed; 0 for statements that do neither. */
  readonly rowCount: number;
}

/**
 * Anything that runs SQL: a pool, a connection of it, a pump connection, a transaction. `bigint` columns arrive as
 * `bigint`, `json` and `jsonb` as unparsed text, `timestamptz` as `Date`.
 */
export interface Queryable {
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
  /**
   * Runs a statement that the server keeps parsed and planned under `name`, once per connection. One name stands for one
   * text; another text under the same name is an error.
   */
  prepared<Row = Record<string, unknown>>(
    name: string,
    text: string,
    values?: readonly unknown[],
  ): Promise<QueryResult<Row>>;
}

export interface PoolOptions {
  readonly url: string;
  /** Connections at most. Default 10. */
  readonly max?: number;
  /** Shown in `pg_stat_activity`. Default `tasker`. */
  readonly applicationName?: string;
  /** Server settings for every connection, as `name: value`. Sent at start-up, which some poolers do not accept. */
  readonly statementSettings?: Readonly<Record<string, string>>;
  /** How long a caller waits for a free connection before an error. Default 10 000. */
  readonly acquireTimeoutMs?: number;
  /** How long an unused connection stays open. Default 300 000. */
  readonly idleTimeoutMs?: number;
}

export interface PoolCounts {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
  /** Connections that died while nobody used them. */
  readonly lostWhileIdle: number;
}

export interface Pool extends Queryable {
  readonly url: string;
  /** Lends one connection to `work`. One whose work failed is closed, not reused: its state is unknown. */
  withConnection<T>(work: (connection: Queryable) => Promise<T>): Promise<T>;
  counts(): PoolCounts;
  /** Waits for lent connections to come back, then closes all. May be called twice. */
  close(): Promise<void>;
}

export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? "tasker",
    connectionTimeoutMillis: options.acquireTimeoutMs ?? 10_000,
    idleTimeoutMillis: options.idleTimeoutMs ?? 300_000,
    keepAlive: true,
    types: typeParsers,
    ...startupOptions(options.statementSettings),
  });
  let lostWhileIdle = 0;
  let closing: Promise<void> | undefined;
  // The driver replaces an idle connection that died; without a listener the event would end the process.
  pool.on("error", () => {
    lostWhileIdle += 1;
  });

  return {
    ...queryableOver(pool),
    url: options.url,
    withConnection: (work) => lend(pool, work),
    counts: () => ({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
      lostWhileIdle,
    }),
    close: () => {
      closing ??= pool.end();
      return closing;
    },
  };
}

interface Driver {
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

/** Gives a driver object the shape of {@link Queryable}. */
export function queryableOver(driver: Driver): Queryable {
  const run = async <Row>(config: pg.QueryConfig): Promise<QueryResult<Row>> => {
    const { rows, rowCount } = await driver.query(config);
    return { rows: rows as Row[], rowCount: rowCount ?? 0 };
  };
  return {
    query: (text, values) => run(values === undefined ? { text } : { text, values: [...values] }),
    prepared: (name, text, values = []) => run({ name, text, values: [...values] }),
  };
}

async function lend<T>(pool: pg.Pool, work: (connection: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // While lent the pool does not listen: a connection lost between two statements shows in the next one.
  const ignore = (): void => undefined;
  client.on("error", ignore);
  let failed = true;
  try {
    const result = await work(queryableOver(client));
    failed = false;
    return result;
  } finally {
    client.off("error", ignore);
    client.release(failed);
  }
}

function startupOptions(settings: Readonly<Record<string, string>> | undefined): {
  options?: string;
} {
  if (settings === undefined || Object.keys(settings).length === 0) return {};
  const words = Object.entries(settings).map(
    ([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, "\\$&")}`,
  );
  return { options: words.join(" ") };
}
