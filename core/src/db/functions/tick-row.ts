import type { QueryResult } from "../pool.js";
import type { PriorityClass } from "./routes.js";

/** A row of `tasker_core.tick_row` as the driver gives it. Which columns are set depends on `kind`. */
interface TickRow {
  kind: string;
  step_id: bigint | null;
  task_id: bigint | null;
  template_step_id: bigint | null;
  token: number | null;
  attempts: number | null;
  deaths: number | null;
  solo: boolean | null;
  status: string | null;
  last_attempted_at: Date | null;
  backoff_seconds: number | null;
  created_at: Date | null;
  number: bigint | null;
}

/** A step that the database has leased to this worker. */
export interface ClaimedStep {
  /** `unroutable`: no live worker runs the callable. `poisoned`: it killed its process too often. Both are to be failed. */
  readonly verdict: "claim" | "unroutable" | "poisoned";
  readonly stepId: bigint;
  readonly taskId: bigint;
  readonly templateId: number;
  /** Ordinal in the template; differs from the step's own for steps made at run time. */
  readonly templateOrdinal: number;
  readonly token: number;
  /** Counts the attempt that starts now. */
  readonly attempts: number;
  readonly deaths: number;
  readonly solo: boolean;
  readonly lastAttemptedAt: Date | null;
  readonly backoffSeconds: number | null;
  readonly createdAt: Date;
  /** Raised when a result of the task was replaced by hand: caches of results are keyed by it. */
  readonly dataEpoch: number;
}

export interface ResultVerdict {
  readonly stepId: bigint;
  readonly token: number;
  readonly status: "committed" | "stale";
}

/** What a hot function did, sorted by kind. */
export interface TickOutcome {
  readonly verdicts: ResultVerdict[];
  readonly claims: ClaimedStep[];
  /** Tasks that came to rest: complete, blocked_by_failures or error. */
  readonly restedTasks: { readonly taskId: bigint; readonly state: string }[];
  readonly created: { readonly position: number; readonly taskId: bigint }[];
  readonly duplicates: { readonly position: number; readonly taskId: bigint }[];
  /** Domain events that their queue could not hold, by their place among the events of the call. */
  readonly refusedEvents: { readonly position: number; readonly reason: string }[];
  /** Steps made visible in a queue instead of being handed to the caller. */
  queued: number;
  /** Messages that a queue scan looked at. */
  scanned: number;
  /** Sleeping hosts that the call's own commit has notified. */
  woken: number;
  /** The highest class of which a queue scan may have left steps behind; null when none, or without a scan. */
  waitingClass: PriorityClass | null;
  /** Milliseconds until the next retry is due; null when none waits or nobody asked. */
  nextTimerMs: number | null;
}

export function readTickRows(result: QueryResult<unknown>): TickOutcome {
  const outcome: TickOutcome = {
    verdicts: [],
    claims: [],
    restedTasks: [],
    created: [],
    duplicates: [],
    refusedEvents: [],
    queued: 0,
    scanned: 0,
    woken: 0,
    waitingClass: null,
    nextTimerMs: null,
  };
  for (const row of result.rows as TickRow[]) addRow(outcome, row);
  // Rows come in the order in which the table was changed; older steps go first.
  outcome.claims.sort((a, b) => (a.stepId < b.stepId ? -1 : 1));
  return outcome;
}

function addRow(outcome: TickOutcome, row: TickRow): void {
  switch (row.kind) {
    case "verdict":
      outcome.verdicts.push({
        stepId: row.step_id as bigint,
        token: row.token as number,
        status: row.status as ResultVerdict["status"],
      });
      return;
    case "claim":
    case "unroutable":
    case "poisoned":
      outcome.claims.push(claimFrom(row, row.kind));
      return;
    case "task":
      outcome.restedTasks.push({ taskId: row.task_id as bigint, state: row.status as string });
      return;
    case "created":
    case "duplicate":
      (row.kind === "created" ? outcome.created : outcome.duplicates).push({
        position: Number(row.number) - 1,
        taskId: row.task_id as bigint,
      });
      return;
    case "refused_event":
      outcome.refusedEvents.push({
        position: Number(row.number) - 1,
        reason: row.status as string,
      });
      return;
    case "woken":
      outcome.woken += Number(row.number);
      return;
    case "queued":
      outcome.queued += Number(row.number);
      return;
    case "scanned":
      outcome.scanned += Number(row.number);
      if (row.attempts !== null && row.attempts >= (outcome.waitingClass ?? 0)) {
        outcome.waitingClass = row.attempts as PriorityClass;
      }
      return;
    case "timer":
      outcome.nextTimerMs = Number(row.number);
      return;
    default:
      throw new Error(
        `tasker_core.tick_row of unknown kind \`${row.kind}\`: the schema is newer than this program`,
      );
  }
}

function claimFrom(row: TickRow, verdict: ClaimedStep["verdict"]): ClaimedStep {
  const key = row.template_step_id as bigint;
  return {
    verdict,
    stepId: row.step_id as bigint,
    taskId: row.task_id as bigint,
    templateId: Number(key >> 20n),
    templateOrdinal: Number(key & 0xfffffn),
    token: row.token as number,
    attempts: row.attempts as number,
    deaths: row.deaths as number,
    solo: row.solo as boolean,
    lastAttemptedAt: row.last_attempted_at,
    backoffSeconds: row.backoff_seconds,
    createdAt: row.created_at as Date,
    dataEpoch: Number(row.number ?? 0n),
  };
}
