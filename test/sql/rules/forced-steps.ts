import type { Queryable } from "../../../core/src/db/index.js";

export interface ForcedStep {
  readonly state: string;
  readonly attempts?: number;
  readonly maxAttempts?: number;
  readonly retryable?: boolean;
  readonly pendingDependencies?: number;
  readonly isTolerated?: boolean;
  /** When its retry is due; null for no timer. */
  readonly timer?: "past" | "future" | null;
}

/**
 * Puts steps into states without living through what leads there, for functions that only read. To be rolled back: what
 * belongs to a state elsewhere (messages, leases, counters) is not made.
 */
export async function forceSteps(
  db: Queryable,
  steps: ReadonlyMap<bigint, ForcedStep>,
): Promise<void> {
  const rows = Array.from(steps, ([stepId, step]) => ({
    step_id: stepId.toString(),
    attempts: 0,
    max_attempts: step.maxAttempts ?? 3,
    retryable: true,
    pending: step.pendingDependencies ?? 0,
    tolerated: step.isTolerated ?? false,
    timer: null,
    ...step,
  }));
  const read = `jsonb_to_recordset($1::jsonb) f(step_id bigint, state tasker_core.step_state, attempts integer,
    max_attempts integer, retryable boolean, pending integer, tolerated boolean, timer text)`;
  const text = JSON.stringify(rows);
  await db.query(
    `update tasker_core.steps s set state = f.state, attempts = f.attempts, max_attempts = f.max_attempts,
       retryable = f.retryable, pending_dependencies = f.pending, failure_tolerated = f.tolerated, leased_until = now()
     from ${read} where s.step_id = f.step_id`,
    [text],
  );
  await db.query(
    `insert into tasker_core.step_timers (step_id, due_at, kind)
     select f.step_id, now() + case f.timer when 'past' then interval '-1 s' else interval '1 h' end, 'retry'
     from ${read} where f.timer is not null`,
    [text],
  );
}

/** Runs `work` and takes back all that it did. */
export async function rolledBack<T>(
  pool: { withConnection<R>(work: (db: Queryable) => Promise<R>): Promise<R> },
  work: (db: Queryable) => Promise<T>,
): Promise<T> {
  return await pool.withConnection(async (db) => {
    await db.query("begin");
    try {
      return await work(db);
    } finally {
      await db.query("rollback");
    }
  });
}
