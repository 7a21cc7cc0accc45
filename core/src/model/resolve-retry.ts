import { isDefaultRetry } from "./environment.js";
import type { BackoffKind, StepDefinition } from "./template.js";
import { DEFAULT_RETRY } from "./template.js";

/** Global backoff configuration, in milliseconds. */
export interface BackoffDefaults {
  readonly baseMs: number;
  readonly capMs: number;
}

/** How long a step waits before its next attempt: see `contract/states.md` section 10 for the formula. */
export interface ResolvedRetry {
  readonly kind: BackoffKind;
  readonly baseMs: number;
  readonly capMs: number;
}

const LAST_RESORT = {
  baseMs: DEFAULT_RETRY.backoff_base_ms ?? 0,
  capMs: DEFAULT_RETRY.max_backoff_ms ?? 0,
};

/** A key written in the template wins, then the global configuration, then 1 000 / 30 000 ms. */
export function resolveRetry(step: StepDefinition, defaults?: BackoffDefaults): ResolvedRetry {
  const isWritten = step.retry_written === true || !isDefaultRetry(step.retry);
  const written = isWritten ? step.retry : { backoff_base_ms: null, max_backoff_ms: null };
  return {
    kind: step.retry.backoff,
    baseMs: written.backoff_base_ms ?? defaults?.baseMs ?? LAST_RESORT.baseMs,
    capMs: written.max_backoff_ms ?? defaults?.capMs ?? LAST_RESORT.capMs,
  };
}
