/** Why a task or a step is where it is. In the order in which they are told: what somebody has to act on comes first. */
export const REASON_CODES = [
  "in_dlq",
  "stale",
  "step_failed",
  "no_handler",
  "no_worker",
  "message_lost",
  "lease_expired",
  "worker_silent",
  "retry_overdue",
  "result_not_settled",
  "running",
  "waiting_for_retry",
  "queued",
  "held_back",
  "waiting_for_lane",
  "behind_failure",
  "behind_cancelled",
  "waiting_for_dependencies",
  "not_created_yet",
  "going_stale",
  "set_up",
  "final",
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

/** One sentence about one step, or about the task. */
export interface Reason {
  readonly code: ReasonCode;
  /** Null: it is about the task. */
  readonly step: string | null;
  readonly text: string;
  /** What can be done about it; null when it goes on by itself. */
  readonly todo: string | null;
}
