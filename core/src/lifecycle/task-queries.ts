import type { Queryable } from "../db/index.js";

/** A task as it stands, in the words of the REST API. `context` and `tags` are JSON text. */
export interface TaskRow {
  readonly task_id: bigint;
  readonly task_uuid: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly status: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly completed_at: Date | null;
  readonly total_steps: number;
  readonly completed_steps: number;
  readonly failed_steps: number;
  readonly cancelled_steps: number;
  readonly initiator: string;
  readonly source_system: string;
  readonly reason: string;
  readonly priority: number;
  readonly correlation_id: string;
  readonly parent_correlation_id: string | null;
  readonly tags: string;
  readonly context: string;
}

/** A step as it stands; steps come in topological order. Errors and durations are those of its last attempt. */
export interface StepRow {
  /** Place in the task; what {@link dependencies} refer to. */
  readonly ordinal: number;
  readonly step_uuid: string;
  readonly name: string;
  readonly callable: string;
  readonly state: string;
  readonly attempts: number;
  readonly max_attempts: number;
  /** Ordinals. */
  readonly dependencies: readonly number[];
  readonly last_attempted_at: Date | null;
  readonly processed_at: Date | null;
  /** When a waiting step is tried again. */
  readonly next_retry_at: Date | null;
  readonly execution_ms: number | null;
  readonly error_type: string | null;
  readonly error_message: string | null;
}

/** One finished attempt of a step. */
export interface AttemptRow {
  readonly ordinal: number;
  readonly recorded_at: Date;
  readonly success: boolean;
  readonly retryable: boolean;
  readonly execution_ms: number;
  readonly worker: string | null;
  readonly error_type: string | null;
  readonly error_message: string | null;
}

const TASK_COLUMNS = `t.task_id, r.task_uuid, n.name as namespace, nt.name, nt.version, t.state::text as status,
  r.created_at, t.state_since as updated_at, t.completed_at, t.n_total as total_steps, t.n_complete as completed_steps,
  t.n_error as failed_steps, t.n_cancelled as cancelled_steps, r.initiator, r.source_system, r.reason, r.priority,
  r.correlation_id, r.parent_correlation_id, r.tags, r.context`;

const TASK_TABLES = `tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id`;

/** The task, or null when there is none with this id. */
export async function findTask(db: Queryable, taskUuid: string): Promise<TaskRow | null> {
  const { rows } = await db.query<TaskRow>(
    `select ${TASK_COLUMNS} from ${TASK_TABLES} where r.task_uuid = $1`,
    [taskUuid],
  );
  return rows[0] ?? null;
}

export interface TaskFilter {
  readonly namespace?: string | undefined;
  /** A task state. */
  readonly status?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listTasks(db: Queryable, filter: TaskFilter): Promise<TaskRow[]> {
  const { rows } = await db.query<TaskRow>(
    `select ${TASK_COLUMNS} from ${TASK_TABLES}
     where ($1::text is null or n.name = $1)
       and ($2::tasker_core.task_state is null or t.state = $2::tasker_core.task_state)
     order by t.task_id desc limit $3`,
    [filter.namespace ?? null, filter.status ?? null, filter.limit],
  );
  return rows;
}

// Ranges of step_id rather than the contract's views: a view finds a task's steps by an expression that no index has.
const STEPS_OF_TASK = "step_id >= $1::bigint << 20 and step_id < ($1::bigint + 1) << 20";

const STEPS = `
  with made as (
    select to_id, array_agg((from_id & 1048575)::integer) as parents from tasker_core.step_edges
    where from_id >= $1::bigint << 20 and from_id < ($1::bigint + 1) << 20 and name <> 'batch_turn'
    group by to_id
  )
  select (s.step_id & 1048575)::integer as ordinal, tasker_core.step_uuid(r.task_uuid, s.step_id) as step_uuid,
    coalesce(s.name, ts.name) as name, c.name as callable, s.state::text as state, s.attempts, s.max_attempts,
    ts.dependencies || coalesce(made.parents, '{}') as dependencies, s.last_attempted_at, s.processed_at,
    tm.due_at as next_retry_at, last.execution_ms, last.error_type, last.error_message
  from (select * from tasker_core.steps where ${STEPS_OF_TASK}) s
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.callables c on c.callable_id = s.callable_id
  join tasker_core.task_requests r on r.task_id = $1::bigint
  left join made on made.to_id = s.step_id
  left join tasker_core.step_timers tm on tm.step_id = s.step_id
  left join lateral (
    select sr.execution_ms,
      case when not sr.success then sr.body #>> '{error,error_type}' end as error_type,
      case when not sr.success then sr.body #>> '{error,message}' end as error_message
    from tasker_core.step_results sr where sr.step_id = s.step_id order by sr.token desc limit 1
  ) last on true
  order by s.step_id`;

/** All steps of a task. */
export async function stepsOfTask(db: Queryable, taskId: bigint): Promise<StepRow[]> {
  return (await db.prepared<StepRow>("steps_of_task", STEPS, [String(taskId)])).rows;
}

/** Finished attempts of all steps of a task, oldest first. */
export async function attemptsOfTask(db: Queryable, taskId: bigint): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `select (step_id & 1048575)::integer as ordinal, recorded_at, success, retryable, execution_ms,
       body #>> '{metadata,worker_id}' as worker, body #>> '{error,error_type}' as error_type,
       body #>> '{error,message}' as error_message
     from tasker_core.step_results where ${STEPS_OF_TASK} order by step_id, token`,
    [String(taskId)],
  );
  return rows;
}

/** What steps' handlers returned, by ordinal, as JSON text. Steps without a successful result are absent. */
export async function resultsOfTask(db: Queryable, taskId: bigint): Promise<Map<number, string>> {
  const { rows } = await db.query<{ ordinal: number; result: string }>(
    `select distinct on (step_id) (step_id & 1048575)::integer as ordinal, body -> 'result' as result
     from tasker_core.step_results where ${STEPS_OF_TASK} and success order by step_id, token desc`,
    [String(taskId)],
  );
  return new Map(rows.map(({ ordinal, result }) => [ordinal, result]));
}
