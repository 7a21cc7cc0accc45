import type { ActorCounts } from "./actor.js";

/** Something with a life: started in order, stopped in reverse. */
export interface Startable {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Of an actor: what it has done. */
  readonly counts?: ActorCounts;
  readonly mailbox?: { readonly capacity: number; readonly load: number };
}

export interface PartStatus {
  readonly name: string;
  readonly isRunning: boolean;
  /** Null of a part without a mailbox. */
  readonly processed: number | null;
  readonly errors: number | null;
  readonly mailbox: { readonly capacity: number; readonly load: number } | null;
}

/** Starts parts in the order of registration and stops them in reverse, even when one of them fails to stop. */
export class ActorSystem {
  readonly #parts: Startable[] = [];
  readonly #started: Startable[] = [];

  register(...parts: readonly Startable[]): void {
    this.#parts.push(...parts);
  }

  /** In the order of starting. */
  status(): PartStatus[] {
    return this.#parts.map((part) => ({
      name: part.name,
      isRunning: this.#started.includes(part),
      processed: part.counts?.processed ?? null,
      errors: part.counts?.errors ?? null,
      mailbox:
        part.mailbox === undefined
          ? null
          : { capacity: part.mailbox.capacity, load: part.mailbox.load },
    }));
  }

  /** When a part fails to start, those already started are stopped and its error is thrown. */
  async start(): Promise<void> {
    for (const part of this.#parts) {
      try {
        await part.start();
        this.#started.push(part);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  /** @throws AggregateError with what failed, after everything was asked to stop */
  async stop(): Promise<void> {
    const failures: unknown[] = [];
    for (const part of this.#started.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, "some parts failed to stop");
  }
}
