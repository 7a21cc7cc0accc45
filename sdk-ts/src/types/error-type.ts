/** Existing handler files import error types from this path. */
export { ErrorType, isStandardErrorType, isTypicallyRetryable } from "../error-type.js";
