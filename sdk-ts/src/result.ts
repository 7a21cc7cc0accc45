import { hasBrand, STEP_HANDLER_RESULT } from "./brand.js";
import { ErrorType } from "./error-type.js";

/** A server's wish for the next attempt, overriding the template's backoff. */
export interface BackoffHint {
  readonly backoffType: "ServerRequested" | "RateLimit" | "ServiceUnavailable" | "Custom";
  readonly delaySeconds: number;
  readonly context?: string;
}

export interface OrchestrationMetadata {
  readonly headers?: Record<string, string>;
  readonly errorContext?: string;
  readonly backoffHint?: BackoffHint;
  readonly custom?: Record<string, unknown>;
}

export interface StepHandlerResultParams {
  readonly success: boolean;
  readonly result?: unknown;
  readonly errorMessage?: string | null;
  readonly errorType?: string | null;
  readonly errorCode?: string | null;
  readonly retryable?: boolean;
  readonly metadata?: Record<string, unknown>;
  readonly orchestrationMetadata?: OrchestrationMetadata | null;
  /** What was thrown, when the failure came from an exception. Never serialised; gives the backtrace. */
  readonly cause?: unknown;
}

/** What a handler answers. Keys inside `result` and `metadata` are snake_case by convention of the wire. */
export class StepHandlerResult {
  readonly success: boolean;
  /** Any JSON value; null on failure. */
  readonly result: unknown;
  readonly errorMessage: string | null;
  readonly errorType: string | null;
  readonly errorCode: string | null;
  readonly retryable: boolean;
  readonly metadata: Record<string, unknown>;
  readonly orchestrationMetadata: OrchestrationMetadata | null;
  readonly #cause: unknown;

  constructor(params: StepHandlerResultParams) {
    this.success = params.success;
    this.result = params.result ?? null;
    this.errorMessage = params.errorMessage ?? null;
    this.errorType = params.errorType ?? null;
    this.errorCode = params.errorCode ?? null;
    this.retryable = params.retryable ?? true;
    this.metadata = params.metadata ?? {};
    this.orchestrationMetadata = params.orchestrationMetadata ?? null;
    this.#cause = params.cause;
  }

  get [STEP_HANDLER_RESULT](): true {
    return true;
  }

  /** What was thrown, when the failure came from an exception. */
  get cause(): unknown {
    return this.#cause;
  }

  static success(result?: unknown, metadata?: Record<string, unknown>): StepHandlerResult {
    return new StepHandlerResult({ success: true, result: result ?? {}, metadata: metadata ?? {} });
  }

  static failure(
    message: string,
    errorType: string = ErrorType.HANDLER_ERROR,
    retryable = true,
    metadata?: Record<string, unknown>,
    errorCode?: string,
  ): StepHandlerResult {
    return new StepHandlerResult({
      success: false,
      errorMessage: message,
      errorType,
      errorCode: errorCode ?? null,
      retryable,
      metadata: metadata ?? {},
    });
  }

  isSuccess(): boolean {
    return this.success;
  }

  isFailure(): boolean {
    return !this.success;
  }

  toJSON(): Record<string, unknown> {
    return {
      success: this.success,
      result: this.result,
      error_message: this.errorMessage,
      error_type: this.errorType,
      error_code: this.errorCode,
      retryable: this.retryable,
      metadata: this.metadata,
      orchestration_metadata: this.orchestrationMetadata,
    };
  }
}

export function isStepHandlerResult(value: unknown): value is StepHandlerResult {
  return hasBrand(value, STEP_HANDLER_RESULT);
}

/**
 * Makes a result of whatever a handler returned: results stay as they are, null and undefined become `{}`,
 * arrays and scalars become `{result: value}`, objects are the result itself.
 */
export function wrapReturnValue(value: unknown): StepHandlerResult {
  if (isStepHandlerResult(value)) return value;
  if (value === null || value === undefined) return StepHandlerResult.success({});
  if (typeof value === "object" && !Array.isArray(value)) return StepHandlerResult.success(value);
  return StepHandlerResult.success({ result: value });
}
