import type { Pool, Queryable } from "../pool.js";
import { withTransaction } from "../transaction.js";

/** In minutes, where the task's template sets no limit of its own. */
export interface StalenessLimits {
  readonly waitingForDependencies: number;
  readonly waitingForRetry: number;
  readonly stepsInProcess: number;
  /** In hours; holds for every task. */
  readonly maxLifetimeHours: number;
}

export interface StalenessRound {
  readonly limits: StalenessLimits;
  /** Tasks per round at most. */
  readonly batchSize: number;
  /** Say what would happen, change nothing. */
  readonly isDryRun: boolean;
  /** False under the compatibility profile: every stale task gets an entry and ends in error. */
  readonly enforceLifecycle: boolean;
}

export interface StaleTask {
  readonly taskId: bigint;
  readonly taskUuid: string;
  /** `namespace/name`. */
  readonly task: string;
  readonly fromState: string;
  readonly minutesInState: number;
  /** As `tasker.detect_and_transition_stale_tasks` lists them. */
  readonly action: string;
  /** The task is in error now. */
  readonly wasEnded: boolean;
}

/** `tasker.detect_and_transition_stale_tasks`. Nothing happens while another host does the same. */
export async function detectStaleTasks(pool: Pool, round: StalenessRound): Promise<StaleTask[]> {
  const { limits } = round;
  const rows = await asOnlyHost(pool, "staleness", async (db) => {
    const result = await db.query<{
      task_id: bigint;
      task_uuid: string;
      task: string;
      current_state: string;
      time_in_state_minutes: number;
      action_taken: string;
      transition_success: boolean;
    }>(
      `select task_id, task_uuid, namespace_name || '/' || task_name as task, current_state, time_in_state_minutes,
         action_taken, transition_success
       from tasker.detect_and_transition_stale_tasks($1, $2, $3, $4, $5, $6, $7)`,
      [
        round.isDryRun,
        round.batchSize,
        limits.waitingForDependencies,
        limits.waitingForRetry,
        limits.stepsInProcess,
        limits.maxLifetimeHours,
        round.enforceLifecycle,
      ],
    );
    return result.rows;
  });
  return (rows ?? []).map((row) => ({
    taskId: row.task_id,
    taskUuid: row.task_uuid,
    task: row.task,
    fromState: row.current_state,
    minutesInState: row.time_in_state_minutes,
    action: row.action_taken,
    wasEnded: row.transition_success,
  }));
}

export interface ReconciledMessages {
  /** Steps that waited for a worker. */
  readonly steps: number;
  /** Stored results that waited for an orchestrator. */
  readonly results: number;
  /** Where to go on; 0 at the end, and while another host does the same. */
  readonly nextAfter: bigint;
}

/** `tasker_core.reconcile_messages`: looks at the steps of up to `limit` tasks behind the task `after`. */
export async function reconcileMessages(
  pool: Pool,
  limit: number,
  after: bigint,
): Promise<ReconciledMessages> {
  const row = await asOnlyHost(pool, "reconcile", async (db) => {
    const { rows } = await db.query<{
      repaired: number;
      results_repaired: number;
      next_after: bigint;
    }>(
      "select repaired, results_repaired, next_after from tasker_core.reconcile_messages($1, $2)",
      [limit, after.toString()],
    );
    return rows[0];
  });
  return {
    steps: row?.repaired ?? 0,
    results: row?.results_repaired ?? 0,
    nextAfter: row?.next_after ?? 0n,
  };
}

export interface ReconciledTasks {
  /** Retries that had lost their timer. */
  readonly timers: number;
  /** Steps that nobody had sent although everything before them was done. */
  readonly steps: number;
  /** As {@link ReconciledMessages}. */
  readonly nextAfter: bigint;
}

/** `tasker_core.reconcile_tasks`: looks at up to `limit` open tasks behind the task `after`. */
export async function reconcileTasks(
  pool: Pool,
  limit: number,
  after: bigint,
): Promise<ReconciledTasks> {
  const row = await asOnlyHost(pool, "reconcile", async (db) => {
    const { rows } = await db.query<{ timers: number; steps: number; next_after: bigint }>(
      "select timers, steps, next_after from tasker_core.reconcile_tasks($1, $2)",
      [limit, after.toString()],
    );
    return rows[0];
  });
  return { timers: row?.timers ?? 0, steps: row?.steps ?? 0, nextAfter: row?.next_after ?? 0n };
}

/** `tasker_core.first_open_task`: the first task from `from` on that is not final; null when all are. */
export async function firstOpenTask(pool: Pool, from: bigint): Promise<bigint | null> {
  const { rows } = await pool.query<{ task_id: bigint | null }>(
    "select tasker_core.first_open_task($1) as task_id",
    [from.toString()],
  );
  return rows[0]?.task_id ?? null;
}

/** One transaction, alone among all hosts; undefined, and nothing done, when another one is in it. */
export async function asOnlyHost<T>(
  pool: Pool,
  job: string,
  work: (db: Queryable) => Promise<T>,
): Promise<T | undefined> {
  return await withTransaction(pool, async (db) => {
    const { rows } = await db.query<{ mine: boolean }>(
      "select pg_try_advisory_xact_lock(hashtextextended('tasker.maintenance.' || $1, 0)) as mine",
      [job],
    );
    return rows[0]?.mine === true ? await work(db) : undefined;
  });
}
