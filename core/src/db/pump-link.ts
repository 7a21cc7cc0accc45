import { messageOf } from "../errors/index.js";
import { createDeferred } from "../lib/deferred.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";
import { isConnectionLoss } from "./connection-loss.js";
import type { Queryable } from "./pool.js";
import { openPumpConnection, type PumpConnection } from "./pump-connection.js";
import { isRetryableConflict } from "./transaction.js";

export interface PumpLinkOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly logger: Logger;
  /** Ends every call under way and every attempt to reconnect. */
  readonly signal: AbortSignal;
  /** Runs on a new connection that replaces a lost one, before the call that met the loss is repeated. */
  readonly onReconnect?: (db: Queryable) => Promise<void>;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

/**
 * A pump connection that comes back. A call that met a lost connection or a conflict is repeated until it has an answer:
 * only functions that change nothing the second time may be called through it.
 */
export class PumpLink {
  readonly #options: PumpLinkOptions;
  #connection: PumpConnection | undefined;
  #opening: Promise<PumpConnection> | undefined;
  #wasConnected = false;
  /** Resolves when the call before the next one has ended: the driver takes one at a time. */
  #turn: Promise<void> = Promise.resolve();
  #conflicts = 0;
  #reconnects = 0;

  constructor(options: PumpLinkOptions) {
    this.#options = options;
  }

  counts(): { readonly conflicts: number; readonly reconnects: number } {
    return { conflicts: this.#conflicts, reconnects: this.#reconnects };
  }

  /**
   * Runs `work` after the calls before it, and repeats it after a lost connection (reconnecting for ever) or a
   * conflict between transactions. Other errors are the caller's. Rejects with the signal's reason once it aborts.
   */
  async call<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    const before = this.#turn;
    const ended = createDeferred<void>();
    this.#turn = ended.promise;
    await before;
    try {
      return await this.#repeat(work);
    } finally {
      ended.resolve();
    }
  }

  async #repeat<T>(work: (db: Queryable) => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      const db = await this.#connected();
      try {
        return await work(db);
      } catch (error) {
        if (isRetryableConflict(error)) {
          this.#conflicts += 1;
          continue;
        }
        if (!isConnectionLoss(error)) throw error;
        this.#forget(db);
        this.#options.logger.warn({ err: error }, "database connection lost, reconnecting");
      }
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close().catch(() => undefined);
    this.#connection = undefined;
  }

  #forget(connection: PumpConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    void connection.close().catch(() => undefined); // it is gone already
  }

  async #connected(): Promise<PumpConnection> {
    if (this.#connection !== undefined) return this.#connection;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #open(): Promise<PumpConnection> {
    let waitMs = FIRST_RETRY_MS;
    for (;;) {
      let connection: PumpConnection | undefined;
      try {
        connection = await openPumpConnection(this.#options.url, {
          applicationName: this.#options.applicationName,
        });
        if (this.#wasConnected) {
          this.#reconnects += 1;
          await this.#options.onReconnect?.(connection);
        }
        this.#wasConnected = true;
        this.#connection = connection;
        return connection;
      } catch (error) {
        await connection?.close().catch(() => undefined);
        if (!isConnectionLoss(error)) throw error;
        this.#options.logger.debug(
          { wait_ms: waitMs },
          `Postgres does not answer yet: ${messageOf(error)}`,
        );
        await delay(waitMs, this.#options.signal);
        waitMs = Math.min(LAST_RETRY_MS, waitMs * 2);
      }
    }
  }
}
