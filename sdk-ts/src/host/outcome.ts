/** How one execution of a step ended, in plain values: ready for a completion or for a frame. */

export type ResultKind = "success" | "decision" | "batch_plan";

export interface StepSucceeded {
  readonly outcome: "success";
  /** JSON text of the result. */
  readonly valueJson: string;
  /** JSON text of `{metadata?, orchestration_metadata?}`, or null. */
  readonly detailJson: string | null;
  readonly resultKind: ResultKind;
  readonly executionMs: number;
}

/** Progress to store; the step runs again at once. */
export interface StepYielded {
  readonly outcome: "checkpoint";
  /** JSON text. */
  readonly cursorJson: string;
  readonly itemsProcessed: number;
  /** JSON text of an object, or null. */
  readonly accumulatedResultsJson: string | null;
  readonly executionMs: number;
}

export type ExecutionFailureKind =
  | "handler"
  | "timeout"
  | "cancelled"
  | "handler_not_found"
  | "invalid_result";

export interface StepFailed {
  readonly outcome: "failure";
  readonly kind: ExecutionFailureKind;
  readonly errorType: string;
  readonly errorCode: string | null;
  /** At most 8 KiB, and storable: no U+0000, no lone surrogates. */
  readonly message: string;
  readonly retryable: boolean;
  /** What the handler or a server asked for; null to follow the template's backoff. */
  readonly retryAfterMs: number | null;
  /** The HTTP status behind the failure, when there was one. */
  readonly statusCode: number | null;
  /** JSON text of `{metadata?, orchestration_metadata?, backtrace?}`, or null. */
  readonly detailJson: string | null;
  readonly executionMs: number;
}

export type StepExecution = StepSucceeded | StepYielded | StepFailed;
