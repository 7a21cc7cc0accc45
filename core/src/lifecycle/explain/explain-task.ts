import { PendingReasons } from "./pending-reasons.js";
import { REASON_CODES, type Reason, type ReasonCode } from "./reason.js";
import { enqueued, failed, inProgress, resultNotSettled, waitingForRetry } from "./step-reasons.js";
import type { StepFacts, TaskFacts } from "./task-facts.js";
import { FINAL_STATES, taskReasons } from "./task-reasons.js";
import { count } from "./words.js";

export interface Explanation {
  readonly taskUuid: string;
  readonly status: string;
  /** One sentence. */
  readonly summary: string;
  /** Most pressing first; of one kind at most {@link MAX_PER_CODE}. */
  readonly reasons: readonly Reason[];
  /** How many more of a kind there are. */
  readonly more: Readonly<Partial<Record<ReasonCode, number>>>;
}

const MAX_PER_CODE = 10;

/** Says in words why a task is where it is. Pure: everything it knows is in the facts. */
export function explainTask(facts: TaskFacts): Explanation {
  const { task } = facts;
  const all = [...taskReasons(facts), ...stepReasons(facts)];
  const rank = (reason: Reason): number => REASON_CODES.indexOf(reason.code);
  const ordered = all
    .map((reason, at) => ({ reason, at }))
    .sort((a, b) => rank(a.reason) - rank(b.reason) || a.at - b.at)
    .map(({ reason }) => reason);
  const seen = new Map<ReasonCode, number>();
  const reasons = ordered.filter(({ code }) => {
    const n = (seen.get(code) ?? 0) + 1;
    seen.set(code, n);
    return n <= MAX_PER_CODE;
  });
  const more = [...seen].flatMap(([code, n]) =>
    n > MAX_PER_CODE ? [[code, n - MAX_PER_CODE] as const] : [],
  );
  return {
    taskUuid: task.task_uuid,
    status: task.status,
    summary: summarize(facts, reasons),
    reasons,
    more: Object.fromEntries(more),
  };
}

function stepReasons(facts: TaskFacts): Reason[] {
  const isFinal = FINAL_STATES.has(facts.task.status);
  const pending = new PendingReasons(facts);
  return facts.steps.flatMap((step) => {
    // A final task waits for nothing; what failed in it is still worth a line.
    if (isFinal && step.state !== "error") return [];
    const reason = reasonOf(facts, step, pending);
    return reason === null ? [] : [isFinal ? { ...reason, todo: null } : reason];
  });
}

function reasonOf(facts: TaskFacts, step: StepFacts, pending: PendingReasons): Reason | null {
  switch (step.state) {
    case "pending":
      return pending.of(step);
    case "enqueued":
      return enqueued(facts, step);
    case "in_progress":
      return inProgress(facts, step);
    case "enqueued_for_orchestration":
    case "enqueued_as_error_for_orchestration":
      return resultNotSettled(facts, step);
    case "waiting_for_retry":
      return waitingForRetry(facts, step);
    case "error":
      return failed(facts, step);
    default:
      return null; // complete, resolved_manually, cancelled: nothing waits in them
  }
}

function summarize({ task }: TaskFacts, reasons: readonly Reason[]): string {
  const done = `${task.completed_steps} of ${count(task.total_steps, "step")} done`;
  const [first] = reasons;
  if (first === undefined) return `The task is ${task.status}, ${done}.`;
  const subject = first.step === null ? "it" : `step ${first.step}`;
  const decisive = first.step === null || reasons.every(({ code }) => code === first.code);
  const why = decisive ? `${subject} ${first.text}` : `first of all, ${subject} ${first.text}`;
  return `The task is ${task.status}, ${done}: ${why}.`;
}
