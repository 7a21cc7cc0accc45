import pg from "pg";
import { messageOf } from "../errors/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";
import { readWakeMessage, type WakeMessage } from "./wake-message.js";

export interface WakeListenerOptions {
  readonly url: string;
  readonly workerId: number;
  readonly logger: Logger;
  readonly onMessage: (message: WakeMessage) => void;
  /** Listening from now on: what was sent before is gone, so whatever messages would say is to be looked up. */
  readonly onListening: () => void;
}

const PING_MS = 10_000;
const RETRY_MS = 1_000;

/**
 * A dedicated connection that hears `NOTIFY tasker_wake_<worker id>`. A hint only: polling is the guarantee, so while
 * the connection is away nothing is lost but time. Reconnects for ever.
 */
export class WakeListener {
  readonly name = "wake-listener";
  readonly #options: WakeListenerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: WakeListenerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#listen(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.debug(`wake listener: ${messageOf(error)}; polling meanwhile`);
        await delay(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: "tasker-listen",
      connectionTimeoutMillis: 5_000,
    });
    const lost = new Promise<never>((_, reject) => {
      client.once("error", reject);
      client.once("end", () => reject(new Error("the connection ended")));
    });
    lost.catch(() => undefined); // seen by whoever races it below
    try {
      await Promise.race([client.connect(), lost]);
      client.on("notification", ({ payload }) =>
        this.#options.onMessage(readWakeMessage(payload ?? "")),
      );
      await client.query(`listen tasker_wake_${this.#options.workerId}`);
      this.#options.onListening();
      for (;;) {
        await Promise.race([delay(PING_MS, signal), lost]);
        await Promise.race([client.query("select 1"), lost]);
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
