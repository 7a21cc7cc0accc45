import { ErrorType } from "./error-type.js";
import { isPermanentError, isRetryableError } from "./errors.js";
import { StepHandlerResult } from "./result.js";

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function constructorName(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  return error.constructor?.name || "Error";
}

/** The failure for {@link PermanentError} and {@link RetryableError}; null for anything else that was thrown. */
export function resultOfStepError(error: unknown): StepHandlerResult | null {
  const permanent = isPermanentError(error);
  if (!permanent && !isRetryableError(error)) return null;
  return new StepHandlerResult({
    success: false,
    errorMessage: error.message,
    errorType: permanent ? ErrorType.PERMANENT_ERROR : ErrorType.RETRYABLE_ERROR,
    errorCode: error.errorCode,
    retryable: !permanent,
    metadata: error.metadata,
    cause: error,
  });
}

/** How a function handler reports what it threw: unknown errors are `handler_error`, retryable. */
export function resultOfFunctionError(error: unknown): StepHandlerResult {
  return (
    resultOfStepError(error) ??
    new StepHandlerResult({
      success: false,
      errorMessage: messageOf(error),
      errorType: ErrorType.HANDLER_ERROR,
      retryable: true,
      metadata: { errorType: constructorName(error) },
      cause: error,
    })
  );
}

/** How a class handler's escaping exception is reported: its constructor's name is the error type, retryable. */
export function resultOfEscapedError(error: unknown): StepHandlerResult {
  return (
    resultOfStepError(error) ??
    new StepHandlerResult({
      success: false,
      errorMessage: messageOf(error),
      errorType: constructorName(error),
      retryable: true,
      metadata: { traceback: error instanceof Error ? (error.stack ?? "") : "" },
      cause: error,
    })
  );
}
