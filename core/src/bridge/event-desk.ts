import type { EventInterest, EventStream, PeerEvents } from "./peer-events.js";

export interface EventDeskPeer {
  readonly events: PeerEvents;
  /** On its way out: others come first. */
  readonly isRetiring: boolean;
}

/**
 * Hands events to the handler processes of one language. Each event goes to one of them, the same as long as it lives:
 * they all run the same subscribers, and one that lists every paid order must list each once.
 */
export class EventDesk {
  readonly #peers: () => readonly EventDeskPeer[];
  #interest: EventInterest = { lifecycle: [], domain: [] };
  #waiting: (() => void)[] = [];
  #isClosed = false;
  /** What the processes want has changed. */
  onInterest: ((interest: EventInterest) => void) | null = null;
  /** Subscribers raised so many times more. */
  onFailed: ((stream: EventStream, count: number) => void) | null = null;

  /** @param peers those that live, the longest-serving first */
  constructor(peers: () => readonly EventDeskPeer[]) {
    this.#peers = peers;
  }

  /** Of all processes together; while none lives, what the last one wanted. */
  get interest(): EventInterest {
    return this.#interest;
  }

  /** Names of the publishers that the processes have. */
  get publishers(): readonly string[] {
    return [...new Set(this.#peers().flatMap(({ events }) => events.publishers))];
  }

  /** A process came or went, has room, or wants something else. */
  changed(): void {
    this.#readInterest();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  failed(stream: EventStream, count: number): void {
    this.onFailed?.(stream, count);
  }

  /**
   * Resolves once the event is sent; while no process lives, or the one that gets it has no room, that waits.
   * @throws RangeError when the event does not fit a frame
   */
  async notify(stream: EventStream, name: string, body: Uint8Array): Promise<void> {
    while (!this.#isClosed) {
      const peers = this.#peers();
      const peer = this.#chosen(peers, stream, name);
      if (peer?.hasRoom === true) {
        peer.send(stream, name, body);
        return;
      }
      if (peer === undefined && peers.length > 0) return; // Nobody wants it any more.
      await this.#change();
    }
  }

  /** Resolves when everything that was sent has been dealt with. */
  async idle(): Promise<void> {
    while (!this.#isClosed && this.#peers().some(({ events }) => !events.isIdle)) {
      await this.#change();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.changed();
  }

  #chosen(
    peers: readonly EventDeskPeer[],
    stream: EventStream,
    name: string,
  ): PeerEvents | undefined {
    const interested = peers.filter(({ events }) => events.wants(stream, name));
    return (interested.find(({ isRetiring }) => !isRetiring) ?? interested[0])?.events;
  }

  #readInterest(): void {
    const peers = this.#peers();
    if (peers.length === 0) return;
    const united = (stream: EventStream): string[] => [
      ...new Set(peers.flatMap(({ events }) => events.interest[stream])),
    ];
    const interest = { lifecycle: united("lifecycle"), domain: united("domain") };
    if (JSON.stringify(interest) === JSON.stringify(this.#interest)) return;
    this.#interest = interest;
    this.onInterest?.(interest);
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
