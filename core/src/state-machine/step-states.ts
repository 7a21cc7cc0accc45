/**
 * The step state machine of `contract/states.md` section 2; see task-states.ts for its twins.
 */
export const STEP_STATES = [
  "pending",
  "enqueued",
  "in_progress",
  "enqueued_for_orchestration",
  "enqueued_as_error_for_orchestration",
  "waiting_for_retry",
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
] as const;
export type StepState = (typeof STEP_STATES)[number];

/** Only these count as a met dependency. */
export const SATISFIED_STEP_STATES = ["complete", "resolved_manually"] as const;

const MANUAL = { CompleteManually: "complete", ResolveManually: "resolved_manually" } as const;

export const STEP_TRANSITIONS: {
  readonly [From in StepState]: Readonly<Record<string, StepState>>;
} = {
  pending: {
    Enqueue: "enqueued",
    Start: "in_progress",
    Fail: "error",
    WaitForRetry: "waiting_for_retry",
    Cancel: "cancelled",
    ...MANUAL,
  },
  enqueued: {
    Start: "in_progress",
    Fail: "error",
    WaitForRetry: "waiting_for_retry",
    Cancel: "cancelled",
    ...MANUAL,
  },
  in_progress: {
    EnqueueForOrchestration: "enqueued_for_orchestration",
    EnqueueAsErrorForOrchestration: "enqueued_as_error_for_orchestration",
    Complete: "complete",
    Fail: "error",
    WaitForRetry: "waiting_for_retry",
    Cancel: "cancelled",
    ...MANUAL,
  },
  enqueued_for_orchestration: {
    Complete: "complete",
    Fail: "error",
    Cancel: "cancelled",
    ...MANUAL,
  },
  enqueued_as_error_for_orchestration: {
    Complete: "complete",
    Fail: "error",
    WaitForRetry: "waiting_for_retry",
    Cancel: "cancelled",
    ...MANUAL,
  },
  waiting_for_retry: { Retry: "pending", Cancel: "cancelled", ...MANUAL },
  complete: { ...MANUAL },
  error: { Retry: "pending", ResetForRetry: "pending", Cancel: "cancelled", ...MANUAL },
  cancelled: { ...MANUAL },
  resolved_manually: { ...MANUAL },
};
