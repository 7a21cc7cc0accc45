/** The rules of `contract/states.md` sections 3, 4 and 10 in a few lines of TypeScript, to hold SQL against. Pure. */

export interface ReadinessFacts {
  readonly state: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly retryable: boolean;
  /** State of the only parent; null for none. */
  readonly parent: string | null;
  readonly timer: "past" | "future" | null;
}

export function readinessOf(step: ReadinessFacts) {
  const dependencies_satisfied =
    step.parent === null || ["complete", "resolved_manually"].includes(step.parent);
  const retry_eligible =
    step.attempts === 0 || (step.retryable && step.attempts < step.max_attempts);
  const isDue = step.state === "pending" || step.timer !== "future";
  return {
    dependencies_satisfied,
    retry_eligible,
    ready_for_execution:
      ["pending", "waiting_for_retry"].includes(step.state) &&
      dependencies_satisfied &&
      retry_eligible &&
      isDue,
  };
}

export interface StepCounts {
  readonly total: number;
  /** Complete, resolved by hand, or a failure that is tolerated. */
  readonly completed: number;
  readonly cancelled: number;
  /** Failures that are not tolerated. */
  readonly failed: number;
  readonly ready: number;
  /** Enqueued, in progress, or with a result that is stored but not settled. */
  readonly pipeline: number;
}

/** First match wins. */
export function executionStatus(steps: StepCounts): string {
  if (steps.failed > 0) return "blocked_by_failures";
  if (steps.ready > 0) return "has_ready_steps";
  if (steps.pipeline > 0) return "processing";
  if (steps.completed > 0 && steps.completed + steps.cancelled === steps.total) {
    return "all_complete";
  }
  return "waiting_for_dependencies";
}

/** Milliseconds before the next attempt, without jitter. */
export function backoffMs(
  kind: string,
  baseMs: number,
  capMs: number,
  multiplier: number,
  attempts: number,
): number {
  const fibonacci = (n: number): number => {
    let [previous, current] = [1, 1];
    for (let i = 1; i < n && current <= capMs; i += 1) {
      [previous, current] = [current, previous + current];
    }
    return current;
  };
  const delays: Record<string, () => number> = {
    none: () => 0,
    linear: () => baseMs * attempts,
    exponential: () => baseMs * multiplier ** attempts,
    fibonacci: () => baseMs * fibonacci(attempts),
  };
  const delay = delays[kind];
  if (delay === undefined) throw new Error(`no such backoff: ${kind}`);
  return Math.floor(Math.min(delay(), capMs));
}
