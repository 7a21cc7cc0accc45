import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, Queryable } from "./pool.js";

/** Counts of one caller, for metrics. Passed in and updated. */
export interface TransactionCounts {
  /** Transactions repeated after a deadlock or a serialization failure. */
  retries: number;
}

export interface TransactionOptions {
  /** Tries in all, the first included. Default 5. */
  readonly maxAttempts?: number;
  readonly counts?: TransactionCounts;
  readonly signal?: AbortSignal;
  /** Spreads repeated attempts, in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

const BASE_DELAY_MS = 5;

/**
 * Runs `work` in one transaction: committed when it returns, rolled back when it throws.
 *
 * A deadlock (40P01) or serialization failure (40001) repeats all of it, so `work` must have no effects outside the
 * database. Any other error, and the last of these, is rethrown as it is.
 */
export async function withTransaction<T>(
  pool: Pool,
  work: (transaction: Queryable) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const maxAttempts = options.maxAttempts ?? 5;
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    try {
      return await pool.withConnection((connection) => once(connection, work));
    } catch (error) {
      if (attempt >= maxAttempts || !isRetryableConflict(error)) throw error;
      if (options.counts !== undefined) options.counts.retries += 1;
      // Two transactions that collided must not meet again in step.
      const delayMs =
        BASE_DELAY_MS * 2 ** (attempt - 1) * (0.5 + (options.random ?? Math.random)());
      await sleep(
        delayMs,
        undefined,
        options.signal === undefined ? {} : { signal: options.signal },
      );
    }
  }
}

/** Whether Postgres gave up on a transaction that would succeed if repeated from the start. */
export function isRetryableConflict(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "40P01" || code === "40001";
}

async function once<T>(
  connection: Queryable,
  work: (transaction: Queryable) => Promise<T>,
): Promise<T> {
  await connection.query("begin");
  try {
    const result = await work(connection);
    await connection.query("commit");
    return result;
  } catch (error) {
    // The connection is closed after a failure; this only releases the locks a little earlier.
    await connection.query("rollback").catch(() => undefined);
    throw error;
  }
}
