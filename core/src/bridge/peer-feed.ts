import type { FfiDispatchChannel } from "../channels/index.js";
import type { PeerSession } from "./session.js";

/**
 * Gives the deliveries of one dispatch channel to the handler processes behind it: one only when a process has a free
 * slot, to the least loaded, and those that must run alone to an empty process.
 */
export class PeerFeed {
  readonly #channel: FfiDispatchChannel;
  readonly #sessions: () => readonly PeerSession[];
  readonly #unsubscribe: (() => void)[];
  /** Kept free of other work until it is empty, for a delivery that must run alone. */
  #reserved: PeerSession | null = null;
  #isScheduled = false;
  #isStopped = false;

  constructor(channel: FfiDispatchChannel, sessions: () => readonly PeerSession[]) {
    this.#channel = channel;
    this.#sessions = sessions;
    this.#unsubscribe = [
      channel.onArrival(() => this.schedule()),
      channel.onCancel((id, reason) => {
        for (const session of this.#sessions()) session.cancel(id, reason);
      }),
    ];
  }

  /** Once per turn: everything offered and every slot freed in it is dealt with together. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#pump();
    });
  }

  stop(): void {
    this.#isStopped = true;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  #pump(): void {
    const sessions = this.#sessions();
    this.#pumpSolo(sessions);
    for (;;) {
      const session = mostFree(sessions, this.#reserved);
      if (session === null) return;
      const delivery = this.#channel.queued.shared === 0 ? undefined : this.#channel.poll("shared");
      if (delivery === undefined) return;
      session.dispatch(delivery);
    }
  }

  #pumpSolo(sessions: readonly PeerSession[]): void {
    const channel = this.#channel;
    while (channel.queued.solo > 0) {
      const empty = sessions.find((session) => session.isIdle && session.free > 0);
      if (empty === undefined) break;
      if (empty === this.#reserved) this.#reserved = null;
      const delivery = channel.poll("solo");
      if (delivery !== undefined) empty.dispatch(delivery);
    }
    this.#reserved = channel.queued.solo === 0 ? null : this.#reserve(sessions);
    if (this.#reserved?.inFlightCount === 0 && this.#reserved.abandonedCount > 0) {
      this.#reserved.retire("a step that must run alone needs a process in which nothing hangs");
    }
  }

  /** The process that will be empty soonest; one that only hangs will never be, and makes way. */
  #reserve(sessions: readonly PeerSession[]): PeerSession | null {
    const serving = sessions.filter((session) => !session.isRetiring);
    if (this.#reserved !== null && serving.includes(this.#reserved)) return this.#reserved;
    return serving.reduce<PeerSession | null>(
      (least, session) =>
        least === null || session.inFlightCount < least.inFlightCount ? session : least,
      null,
    );
  }
}

function mostFree(
  sessions: readonly PeerSession[],
  reserved: PeerSession | null,
): PeerSession | null {
  let best: PeerSession | null = null;
  let bestFree = 0;
  for (const session of sessions) {
    const free = session === reserved ? 0 : session.free;
    if (free > bestFree) {
      best = session;
      bestFree = free;
    }
  }
  return best;
}
