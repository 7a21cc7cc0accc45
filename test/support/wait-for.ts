import { setTimeout as sleep } from "node:timers/promises";

export interface WaitForOptions {
  /** Default 10 000. */
  readonly timeoutMs?: number;
  /** Default 20. */
  readonly intervalMs?: number;
  /** What is waited for, as in "timed out waiting for ...". A function is asked at the end, to show the last state. */
  readonly describe?: string | (() => string);
}

type Falsy = false | null | undefined | 0 | "";

/**
 * Polls until the predicate gives something truthy, and returns that. A predicate that throws counts as "not yet"; its
 * last error is the cause of the timeout's.
 */
export async function waitFor<T>(
  predicate: () => T | Falsy | Promise<T | Falsy>,
  options: WaitForOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await predicate();
      if (value) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) break;
    await sleep(options.intervalMs ?? 20);
  }
  const { describe = "a condition" } = options;
  const what = typeof describe === "function" ? describe() : describe;
  throw new Error(`Timed out after ${timeoutMs} ms waiting for ${what}`, { cause: lastError });
}
