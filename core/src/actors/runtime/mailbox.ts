import { createDeferred, type Deferred } from "../../lib/deferred.js";
import { HighWater } from "../../lib/high-water.js";

/** A bounded queue of messages. `put` waits when it is full; nothing is dropped. */
export class Mailbox<Message> {
  readonly capacity: number;
  readonly highWater = new HighWater();
  #messages: Message[] = [];
  #senders: { message: Message; admitted: Deferred<void> }[] = [];
  #receiver: Deferred<void> | undefined;
  #isClosed = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#messages.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Messages inside, and senders that wait for room. */
  get load(): number {
    return this.#messages.length + this.#senders.length;
  }

  /** Resolves when the message is in the mailbox. Rejects once the mailbox is closed. */
  put(message: Message): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error("the mailbox is closed"));
    if (this.#messages.length < this.capacity) {
      this.#messages.push(message);
      this.highWater.record(this.#messages.length);
      this.#receiver?.resolve();
      return Promise.resolve();
    }
    const admitted = createDeferred<void>();
    this.#senders.push({ message, admitted });
    this.highWater.record(this.#messages.length + this.#senders.length);
    return admitted.promise;
  }

  /** Waits for messages, then takes all that are there, up to `max`. An empty array means closed and drained. */
  async takeBatch(max: number): Promise<Message[]> {
    while (this.#messages.length === 0 && !this.#isClosed) {
      this.#receiver = createDeferred<void>();
      await this.#receiver.promise;
      this.#receiver = undefined;
    }
    const batch = this.#messages.splice(0, max);
    for (const sender of this.#senders.splice(0, this.capacity - this.#messages.length)) {
      this.#messages.push(sender.message);
      sender.admitted.resolve();
    }
    return batch;
  }

  /** Takes no further messages; those inside can still be taken. */
  close(): void {
    this.#isClosed = true;
    this.#receiver?.resolve();
    for (const { admitted } of this.#senders.splice(0)) {
      admitted.reject(new Error("the mailbox is closed"));
    }
  }
}
