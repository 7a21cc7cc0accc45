/** Something that will happen; `cancel` after it happened does nothing. */
export interface Timer {
  cancel(): void;
}

/** Where time comes from, so that tests can own it. */
export interface Clock {
  /** Milliseconds that only ever grow; not a date. */
  nowMs(): number;
  /** Calls once after `delayMs`. Whoever set it cancels it; it does not keep the process alive. */
  setTimer(delayMs: number, action: () => void): Timer;
}

/** Node fires at once beyond this (25 days). */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer: (delayMs, action) => {
    const timer = setTimeout(action, Math.min(delayMs, MAX_TIMEOUT_MS));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
