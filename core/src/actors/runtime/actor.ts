import type { Logger } from "../../observability/index.js";
import { Mailbox } from "./mailbox.js";

export interface ActorOptions {
  readonly mailboxCapacity: number;
  /** Messages handed to one `receive` at most. */
  readonly batchSize: number;
  readonly logger: Logger;
}

export interface ActorCounts {
  /** Messages whose batch was worked off. */
  readonly processed: number;
  /** Batches that failed. */
  readonly errors: number;
}

/**
 * A bounded mailbox and a `receive` that gets one batch at a time: whatever arrived while the last batch was worked on.
 * The work itself belongs to a lifecycle service. A throw is reported and counted, and the actor goes on.
 */
export abstract class Actor<Message> {
  abstract readonly name: string;
  readonly #options: ActorOptions;
  readonly #mailbox: Mailbox<Message>;
  #running: Promise<void> | undefined;
  #processed = 0;
  #failures = 0;

  constructor(options: ActorOptions) {
    this.#options = options;
    this.#mailbox = new Mailbox(options.mailboxCapacity);
  }

  protected abstract receive(batch: readonly Message[]): Promise<void>;
  /** Before the first message. */
  protected async started(): Promise<void> {}
  /** After the last message. */
  protected async stopped(): Promise<void> {}

  protected get logger(): Logger {
    return this.#options.logger;
  }

  /** For whoever watches how full it is. */
  get mailbox(): Pick<Mailbox<Message>, "capacity" | "load" | "highWater"> {
    return this.#mailbox;
  }

  get counts(): ActorCounts {
    return { processed: this.#processed, errors: this.#failures };
  }

  /** Resolves when the message is in the mailbox; waits while that is full. */
  send(message: Message): Promise<void> {
    return this.#mailbox.put(message);
  }

  async start(): Promise<void> {
    await this.started();
    this.#running = this.#run();
  }

  /** Takes no further messages, works off what is in the mailbox, then stops. */
  async stop(): Promise<void> {
    this.#mailbox.close();
    await this.#running;
    await this.stopped();
  }

  async #run(): Promise<void> {
    for (;;) {
      const batch = await this.#mailbox.takeBatch(this.#options.batchSize);
      if (batch.length === 0) return;
      try {
        await this.receive(batch);
        this.#processed += batch.length;
      } catch (error) {
        this.#failures += 1;
        this.logger.error(
          { err: error, batch: batch.length },
          `actor ${this.name} failed on a batch`,
        );
      }
    }
  }
}
