import { delay } from "../lib/delay.js";
import type { ReceivedMessage } from "./types.js";

export interface Waiting {
  readonly waitMs: number;
  /** How long until the next look; a provider that hears of new messages ends it early. */
  readonly pause: (forMs: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Looks, and while there is nothing looks again, until `waitMs` have passed. Rejects with the signal's reason. */
export async function waitForMessages(
  look: () => Promise<ReceivedMessage[]>,
  { waitMs, pause, signal }: Waiting,
): Promise<ReceivedMessage[]> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    const left = deadline - performance.now();
    if (found.length > 0 || left <= 0) return found;
    await pause(left, signal);
  }
}

/** The pause of a provider that has to ask. */
export function pollEvery(intervalMs: number): Waiting["pause"] {
  return async (forMs, signal) => await delay(Math.min(intervalMs, forMs), signal);
}
