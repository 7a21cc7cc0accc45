/**
 * The task state machine of `contract/states.md` section 1, and four rows of ours. The same rows are in SQL
 * (`tasker_core.task_transition_rules`, which is what enforces them) and in docs/reference/states.md; a test compares all three.
 */
export const TASK_STATES = [
  "pending",
  "initializing",
  "enqueuing_steps",
  "steps_in_process",
  "evaluating_results",
  "waiting_for_dependencies",
  "waiting_for_retry",
  "blocked_by_failures",
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** A state by its name; `in_progress`, its old name, is steps_in_process. Undefined for no state. */
export function parseTaskState(text: string): TaskState | undefined {
  const name = text === "in_progress" ? "steps_in_process" : text;
  return TASK_STATES.find((state) => state === name);
}

export const TERMINAL_TASK_STATES = [
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
] as const;

const ALWAYS = { Cancel: "cancelled", ResolveManually: "resolved_manually" } as const;

export const TASK_TRANSITIONS: {
  readonly [From in TaskState]: Readonly<Record<string, TaskState>>;
} = {
  pending: { Start: "initializing", ...ALWAYS },
  initializing: {
    ReadyStepsFound: "enqueuing_steps",
    NoStepsFound: "complete",
    NoDependenciesReady: "waiting_for_dependencies",
    ...ALWAYS,
  },
  enqueuing_steps: { StepsEnqueued: "steps_in_process", EnqueueFailed: "error", ...ALWAYS },
  steps_in_process: {
    StepCompleted: "evaluating_results",
    AllStepsCompleted: "evaluating_results",
    StepFailed: "waiting_for_retry",
    Complete: "complete",
    Fail: "error",
    ...ALWAYS,
  },
  evaluating_results: {
    AllStepsSuccessful: "complete",
    ReadyStepsFound: "enqueuing_steps",
    NoDependenciesReady: "waiting_for_dependencies",
    PermanentFailure: "blocked_by_failures",
    // Ours: the task stood still for longer than its limits allow.
    TimedOut: "error",
    ...ALWAYS,
  },
  waiting_for_dependencies: {
    DependenciesReady: "evaluating_results",
    TimedOut: "error",
    ...ALWAYS,
  },
  waiting_for_retry: { RetryReady: "enqueuing_steps", TimedOut: "error", ...ALWAYS },
  blocked_by_failures: {
    GiveUp: "error",
    ManualResolution: "resolved_manually",
    // Ours: an operator acted on the steps in error, and none is left.
    FailuresCleared: "evaluating_results",
    ...ALWAYS,
  },
  complete: {},
  error: {},
  cancelled: {},
  resolved_manually: {},
};
