import { hasBrand, PERMANENT_ERROR, RETRYABLE_ERROR } from "./brand.js";

export interface StepErrorOptions {
  /** Stored with the failure, for programs that look at it. */
  readonly errorCode?: string;
  readonly cause?: unknown;
}

export interface RetryableErrorOptions extends StepErrorOptions {
  /** The earliest sensible moment for the next attempt, in seconds from now. Replaces the template's backoff. */
  readonly retryAfterSeconds?: number;
}

abstract class StepError extends Error {
  readonly metadata: Record<string, unknown>;
  readonly errorCode: string | null;

  constructor(message: string, metadata: Record<string, unknown>, options: StepErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.metadata = metadata;
    this.errorCode = options.errorCode ?? null;
  }
}

/** Throw when trying again cannot help: the step fails for good, whatever its retry settings. */
export class PermanentError extends StepError {
  readonly retryable = false;

  constructor(
    message: string,
    metadata: Record<string, unknown> = {},
    options: StepErrorOptions = {},
  ) {
    super(message, metadata, options);
  }

  get [PERMANENT_ERROR](): true {
    return true;
  }
}

/**
 * Throw when a later attempt may succeed.
 *
 * `new RetryableError("rate limited", { retryAfterSeconds: 30 })` works too: a numeric `retryAfterSeconds` in
 * the metadata counts as the option of that name.
 */
export class RetryableError extends StepError {
  readonly retryable = true;
  /** Seconds, or null to follow the template's backoff. */
  readonly retryAfterSeconds: number | null;

  constructor(
    message: string,
    metadata: Record<string, unknown> = {},
    options: RetryableErrorOptions = {},
  ) {
    super(message, metadata, options);
    const fromMetadata = metadata["retryAfterSeconds"];
    this.retryAfterSeconds =
      options.retryAfterSeconds ?? (typeof fromMetadata === "number" ? fromMetadata : null);
  }

  get [RETRYABLE_ERROR](): true {
    return true;
  }
}

export function isPermanentError(error: unknown): error is PermanentError {
  return hasBrand(error, PERMANENT_ERROR);
}

export function isRetryableError(error: unknown): error is RetryableError {
  return hasBrand(error, RETRYABLE_ERROR);
}
