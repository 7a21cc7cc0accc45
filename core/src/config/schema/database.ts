import { flag, integer, secret, table, text } from "./fields.js";

function pool(defaults: { max: number; min: number; acquireSeconds: number }) {
  return table({
    max_connections: integer(1, 1000, defaults.max),
    min_connections: integer(0, 100, defaults.min),
    acquire_timeout_seconds: integer(1, 300, defaults.acquireSeconds),
    idle_timeout_seconds: integer(1, 3600, 300),
    max_lifetime_seconds: integer(60, 86_400, 1800),
    slow_acquire_threshold_ms: integer(10, 60_000, 100),
  });
}

export const database = table({
  /** Empty: the project's own embedded Postgres. */
  url: secret(""),
  /** Start on a server with fsync or full_page_writes off, which can lose accepted tasks. */
  allow_unsafe: flag(false),
  pool: pool({ max: 25, min: 5, acquireSeconds: 10 }),
  embedded: table({
    /** Relative to the working directory. */
    data_dir: text(".tasker/postgres"),
  }),
});

export const pgmqDatabase = table({
  /** Empty: queues live in the main database. */
  url: secret(""),
  enabled: flag(true),
  pool: pool({ max: 15, min: 3, acquireSeconds: 5 }),
});
