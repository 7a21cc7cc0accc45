import type { ErrorCode } from "./catalogue.js";

/** Where an error happened, for logs and for the wire. Only what is known is present. */
export interface ErrorContext {
  readonly taskId?: string;
  readonly taskUuid?: string;
  readonly stepName?: string;
  readonly stepUuid?: string;
  readonly attempt?: number;
  readonly peer?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly [key: string]: unknown;
}

export interface ErrorOptions {
  readonly context?: ErrorContext;
  readonly cause?: unknown;
}

/**
 * Base of everything this system throws on purpose. Recognise by `code` with {@link isTaskerError}, not by
 * `instanceof`: two copies of a package may meet in one process.
 */
export abstract class TaskerError extends Error {
  abstract readonly code: ErrorCode;
  abstract readonly retryable: boolean;
  readonly context: ErrorContext;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.context = options.context ?? {};
  }
}

export function isTaskerError(error: unknown, code?: ErrorCode): error is TaskerError {
  if (!(error instanceof Error) || !("code" in error) || !("retryable" in error)) return false;
  return code === undefined || error.code === code;
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
