import type { CircuitBreaker } from "../lib/circuit-breaker.js";
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
  /** Learns how the connection fares; while it is open reconnecting is slower. */
  readonly circuit: CircuitBreaker;
  /** Between two attempts to reconnect while the circuit is open. */
  readonly openRetryMs: number;
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
   * Runs `work` after the calls before it, and repeats it after a lost connection (reconnecting for ever, slowly while the
   * circuit is open: what waits here is delayed, not lost) or a conflict between transactions. Other errors are the
   * caller's. Rejects with the signal's reason once it aborts.
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
    const { signal, circuit, logger } = this.#options;
    for (let waitMs = FIRST_RETRY_MS; ; ) {
      signal.throwIfAborted();
      const wasConnected = this.#connection !== undefined;
      try {
        return await circuit.insist(async () => await work(await this.#connected()));
      } catch (error) {
        if (isRetryableConflict(error)) {
          this.#conflicts += 1;
          continue;
        }
        if (!isConnectionLoss(error)) throw error;
        this.#forget();
        if (wasConnected) {
          logger.warn({ err: error }, "database connection lost, reconnecting");
          waitMs = FIRST_RETRY_MS;
          continue;
        }
        await this.#pause(waitMs);
        waitMs = Math.min(LAST_RETRY_MS, waitMs * 2);
      }
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close().catch(() => undefined);
    this.#connection = undefined;
  }

  #forget(): void {
    void this.#connection?.close().catch(() => undefined); // it is gone already
    this.#connection = undefined;
  }

  async #pause(waitMs: number): Promise<void> {
    const { circuit, openRetryMs, signal, logger } = this.#options;
    const ms = circuit.state === "open" ? openRetryMs : waitMs;
    logger.debug({ wait_ms: ms }, "Postgres does not answer yet");
    await delay(ms, signal);
  }

  async #connected(): Promise<PumpConnection> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = await openPumpConnection(this.#options.url, {
      applicationName: this.#options.applicationName,
    });
    try {
      if (this.#wasConnected) {
        this.#reconnects += 1;
        await this.#options.onReconnect?.(connection);
      }
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
    this.#wasConnected = true;
    this.#connection = connection;
    return connection;
  }
}
