/** The error types every language shares. A handler may use any other string as well. */
export const ErrorType = {
  PERMANENT_ERROR: "permanent_error",
  RETRYABLE_ERROR: "retryable_error",
  VALIDATION_ERROR: "validation_error",
  TIMEOUT: "timeout",
  HANDLER_ERROR: "handler_error",
} as const;

export type ErrorType = (typeof ErrorType)[keyof typeof ErrorType];

const STANDARD: ReadonlySet<string> = new Set(Object.values(ErrorType));

export function isStandardErrorType(errorType: string): errorType is ErrorType {
  return STANDARD.has(errorType);
}

/** Whether an error of this type usually goes away when the step runs again. */
export function isTypicallyRetryable(errorType: string): boolean {
  return errorType === ErrorType.RETRYABLE_ERROR || errorType === ErrorType.TIMEOUT;
}
