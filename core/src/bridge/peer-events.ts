import { matchesAny } from "@tasker-core/sdk/host";
import type { HelloHeader, NotifiedHeader, NotifyHeader } from "@tasker-core/sdk/protocol";
import type { PeerLink } from "./peer-link.js";

export type EventStream = NotifyHeader["stream"];

/** Patterns by stream. */
export type EventInterest = Readonly<Record<EventStream, readonly string[]>>;

/** Sent ahead of the process at most: what its death can lose, beside what the host still holds. */
export const EVENT_WINDOW = 64;
/** Room for the header in a frame that carries an event. */
const HEADER_ROOM = 64 * 1024;

/** What a process says about events in its `hello`. */
export interface EventGreeting {
  readonly interest: EventInterest;
  /** Names of the publishers in the process. */
  readonly publishers: readonly string[];
}

export function eventGreeting(hello: HelloHeader): EventGreeting {
  return {
    interest: { lifecycle: hello.lifecycle_events ?? [], domain: hello.domain_events ?? [] },
    publishers: hello.publishers ?? [],
  };
}

export interface PeerEventsOptions extends EventGreeting {
  readonly connection: PeerLink;
  readonly maxFrame: number;
  /** Its interest or its room has changed. */
  readonly onChange: () => void;
  /** Subscribers in the process raised so many times more. */
  readonly onFailed: (stream: EventStream, count: number) => void;
}

/** The events that one handler process subscribes to: sent as far ahead as it deals with them. */
export class PeerEvents {
  readonly #options: PeerEventsOptions;
  #interest: EventInterest;
  #sent = 0;
  #done = 0;
  #failed: Readonly<Record<EventStream, number>> = { lifecycle: 0, domain: 0 };

  constructor(options: PeerEventsOptions) {
    this.#options = options;
    this.#interest = options.interest;
  }

  get interest(): EventInterest {
    return this.#interest;
  }

  set interest(interest: EventInterest) {
    this.#interest = interest;
    this.#options.onChange();
  }

  get publishers(): readonly string[] {
    return this.#options.publishers;
  }

  wants(stream: EventStream, name: string): boolean {
    return matchesAny(this.#interest[stream], name);
  }

  get hasRoom(): boolean {
    const { connection } = this.#options;
    return connection.isOpen && !connection.isCongested && this.#sent - this.#done < EVENT_WINDOW;
  }

  /** Every event it was sent has been dealt with, or never will be. */
  get isIdle(): boolean {
    return this.#sent === this.#done || !this.#options.connection.isOpen;
  }

  /**
   * The caller has looked at {@link hasRoom}.
   * @throws RangeError when the event does not fit a frame
   */
  send(stream: EventStream, name: string, body: Uint8Array): void {
    const limit = this.#options.maxFrame - HEADER_ROOM;
    if (body.byteLength > limit) {
      throw new RangeError(
        `event ${name} has ${body.byteLength} bytes, its handler process takes ${limit}`,
      );
    }
    const seq = this.#sent + 1;
    this.#options.connection.send({ type: "notify", stream, name, seq }, body);
    this.#sent = seq;
  }

  /** Goes on over a new connection; what was under way on the old one is lost. */
  resume({ interest }: EventGreeting): void {
    this.#done = this.#sent;
    this.#failed = { lifecycle: 0, domain: 0 };
    this.interest = interest;
  }

  notified({ seq, lifecycle_failed, domain_failed }: NotifiedHeader): void {
    const failed = { lifecycle: lifecycle_failed, domain: domain_failed };
    if (seq > this.#sent) {
      const detail = `Expected \`seq\` up to ${this.#sent}, got ${seq}`;
      this.#options.connection.nack("invalid_field", detail, { type: "notified", id: null });
      return;
    }
    this.#done = Math.max(this.#done, seq);
    for (const stream of ["lifecycle", "domain"] as const) {
      const more = failed[stream] - this.#failed[stream];
      if (more > 0) this.#options.onFailed(stream, more);
    }
    this.#failed = failed;
    this.#options.onChange();
  }
}
