import { BACKOFF_KINDS, DEFAULT_RETRY, type RetryPolicy } from "../model/index.js";
import type { MapReader } from "./map-reader.js";

const HINTS = {
  limit: "write `max_attempts`: total attempts including the first",
  retry_limit: "write `max_attempts`: total attempts including the first",
  max_retries: "write `max_attempts`: total attempts including the first",
  base_delay_ms: "write `backoff_base_ms`",
  max_delay_ms: "write `max_backoff_ms`",
  backoff_strategy: "write `backoff`",
};

/** Reads a written `retry` block; what it leaves out takes the defaults of a written block. */
export function readRetry(reader: MapReader): RetryPolicy {
  const retry: RetryPolicy = {
    retryable: reader.boolean("retryable") ?? DEFAULT_RETRY.retryable,
    // 0 is in circulation: one attempt, no retry.
    max_attempts:
      reader.integer("max_attempts", { min: 1, max: 100, alsoAccepted: [0] }) ??
      DEFAULT_RETRY.max_attempts,
    backoff: reader.choice("backoff", BACKOFF_KINDS) ?? DEFAULT_RETRY.backoff,
    backoff_base_ms: reader.integer("backoff_base_ms", { min: 100, max: 3_600_000 }),
    max_backoff_ms: reader.integer("max_backoff_ms", { min: 1000, max: 3_600_000 }),
  };
  const redeliver = reader.boolean("redeliver");
  reader.reportUnknownKeys(HINTS);
  return redeliver === null ? retry : { ...retry, redeliver };
}
