import type { Queryable } from "../../db/index.js";
import { findTask, type StepRow, stepsOfTask, type TaskRow } from "../task-queries.js";

/** Minutes and hours as `orchestration.dlq.staleness_detection.thresholds` has them. */
export interface StalenessThresholds {
  readonly waitingForDependencies: number;
  readonly waitingForRetry: number;
  readonly stepsInProcess: number;
  readonly maxLifetimeHours: number;
}

/** What of the configuration decides how long something waits. */
export interface ExplainSettings {
  readonly handlerWaitSeconds: number;
  readonly reconcileIntervalSeconds: number;
  /** Null: nobody looks for stale tasks. */
  readonly staleness: (StalenessThresholds & { readonly enforceLifecycle: boolean }) | null;
}

export interface StepFacts extends StepRow {
  readonly leased_until: Date | null;
  readonly deaths: number;
  readonly solo: boolean;
  readonly failure_tolerated: boolean;
  readonly updated_at: Date;
  /** Workers of a batch: ordinals of those whose turn in the lane comes before. */
  readonly turn_after: readonly number[];
  /** Who has the step; null when nobody does. */
  readonly worker: WorkerFacts | null;
  readonly error_retryable: boolean | null;
}

export interface WorkerFacts {
  readonly name: string;
  readonly hostname: string;
  readonly pid: number;
  readonly last_seen_at: Date;
  readonly stopped_at: Date | null;
}

export interface QueueFacts {
  readonly ordinal: number;
  readonly queue_name: string;
  /** 2 high, 1 normal, 0 low. */
  readonly class: number;
  readonly present: boolean;
  readonly visible_at: Date | null;
  readonly ahead: number;
  readonly higher: number;
}

export interface DlqFacts {
  readonly dlq_entry_uuid: string;
  readonly dlq_reason: string;
  readonly dlq_timestamp: Date;
  readonly resolution_status: string;
}

export interface StalenessFacts {
  readonly minutes_in_state: number;
  readonly age_minutes: number;
  readonly threshold_minutes: number | null;
  readonly lifetime_minutes: number;
  readonly is_stale: boolean;
  readonly to_dlq: boolean;
  readonly to_error: boolean;
}

export interface ActionFacts {
  readonly at: Date;
  readonly action: string;
  readonly actor: string;
  readonly reason: string | null;
}

/** Everything the rules look at, read at one moment. */
export interface TaskFacts {
  /** The database's clock. */
  readonly now: Date;
  readonly settings: ExplainSettings;
  readonly task: TaskRow;
  readonly steps: readonly StepFacts[];
  /** Of enqueued steps, the first {@link QUEUE_LOOKS}. */
  readonly queues: readonly QueueFacts[];
  /** Names of the live workers that serve a callable. */
  readonly servers: ReadonlyMap<string, readonly string[]>;
  readonly liveWorkers: number;
  /** Results that wait to be settled. */
  readonly resultsWaiting: number;
  readonly dlq: DlqFacts | null;
  readonly staleness: StalenessFacts | null;
  /** The last thing an operator, or staleness detection, did to the task. */
  readonly lastAction: ActionFacts | null;
}

const QUEUE_LOOKS = 20;

const STEPS_OF_TASK = "s.step_id >= $1::bigint << 20 and s.step_id < ($1::bigint + 1) << 20";

type Extra = Omit<StepFacts, keyof StepRow | "worker"> &
  Partial<WorkerFacts> & { readonly ordinal: number; readonly worker_name: string | null };

/** Null when there is no such task. Give it one transaction of repeatable reads for facts that agree. */
export async function readTaskFacts(
  db: Queryable,
  taskUuid: string,
  settings: ExplainSettings,
): Promise<TaskFacts | null> {
  const task = await findTask(db, taskUuid);
  if (task === null) return null;
  const id = String(task.task_id);
  const rows = await stepsOfTask(db, task.task_id);
  const extras = new Map((await stepExtras(db, id)).map((extra) => [extra.ordinal, extra]));
  const steps = rows.map((row) => withExtra(row, extras.get(row.ordinal)));
  const enqueued = steps.filter(({ state }) => state === "enqueued").slice(0, QUEUE_LOOKS);
  const servers = await liveServers(db);
  return {
    now: await single<{ now: Date }>(db, "select tasker.now() as now", []).then((row) =>
      row === null ? new Date() : row.now,
    ),
    settings,
    task,
    steps,
    queues: await queueFacts(
      db,
      id,
      enqueued.map(({ ordinal }) => ordinal),
    ),
    servers: servers.byCallable,
    liveWorkers: servers.count,
    resultsWaiting: await resultsWaiting(db, steps),
    dlq: await single<DlqFacts>(
      db,
      `select dlq_entry_uuid, dlq_reason::text, dlq_timestamp, resolution_status::text
       from tasker_core.tasks_dlq where task_id = $1::bigint
       order by resolution_status = 'pending' desc, dlq_timestamp desc limit 1`,
      [id],
    ),
    staleness: await stalenessFacts(db, id, settings),
    lastAction: await single<ActionFacts>(
      db,
      `select at, action, actor, reason from tasker_core.operator_actions
       where task_id = $1::bigint and step_id is null order by action_id desc limit 1`,
      [id],
    ),
  };
}

async function stepExtras(db: Queryable, taskId: string): Promise<Extra[]> {
  const { rows } = await db.query<Extra>(
    `select (s.step_id & 1048575)::integer as ordinal, s.leased_until, s.deaths::integer as deaths, s.solo,
       s.failure_tolerated, s.updated_at,
       array(select (e.from_id & 1048575)::integer from tasker_core.step_edges e
         where e.to_id = s.step_id and e.name = 'batch_turn' order by 1) as turn_after,
       (select not r.success and r.retryable from tasker_core.step_results r
         where r.step_id = s.step_id order by r.token desc limit 1) as error_retryable,
       w.name as worker_name, w.hostname, w.pid, w.last_seen_at, w.stopped_at
     from tasker_core.steps s left join tasker_core.workers w on w.worker_id = s.worker_id
     where ${STEPS_OF_TASK}`,
    [taskId],
  );
  return rows;
}

function withExtra(row: StepRow, extra: Extra | undefined): StepFacts {
  const worker =
    extra === undefined || extra.worker_name === null
      ? null
      : {
          name: extra.worker_name,
          hostname: extra.hostname ?? "",
          pid: extra.pid ?? 0,
          last_seen_at: extra.last_seen_at ?? new Date(0),
          stopped_at: extra.stopped_at ?? null,
        };
  return {
    ...row,
    leased_until: extra?.leased_until ?? null,
    deaths: extra?.deaths ?? 0,
    solo: extra?.solo ?? false,
    failure_tolerated: extra?.failure_tolerated ?? false,
    updated_at: extra?.updated_at ?? new Date(0),
    turn_after: extra?.turn_after ?? [],
    error_retryable: extra?.error_retryable ?? null,
    worker,
  };
}

// Live as claim_unroutable_steps has it.
const LIVE = "w.stopped_at is null and w.last_seen_at > tasker.now() - interval '30 seconds'";

async function liveServers(
  db: Queryable,
): Promise<{ byCallable: Map<string, readonly string[]>; count: number }> {
  const { rows } = await db.query<{ callable: string | null; workers: string[]; all: number }>(
    `select c.name as callable, array_agg(w.name order by w.name) as workers,
       (select count(*)::integer from tasker_core.workers w where ${LIVE}) as all
     from tasker_core.workers w
     left join tasker_core.worker_callables wc on wc.worker_id = w.worker_id
     left join tasker_core.callables c on c.callable_id = wc.callable_id
     where ${LIVE} group by c.name`,
  );
  const served = rows.flatMap(({ callable, workers }) =>
    callable === null ? [] : [[callable, workers] as const],
  );
  return { byCallable: new Map(served), count: rows[0]?.all ?? 0 };
}

async function queueFacts(
  db: Queryable,
  taskId: string,
  ordinals: readonly number[],
): Promise<QueueFacts[]> {
  if (ordinals.length === 0) return [];
  const { rows } = await db.query<QueueFacts>(
    `select (q.step_id & 1048575)::integer as ordinal, q.queue_name, q.class, q.present, q.visible_at,
       q.ahead::integer, q.higher::integer
     from tasker_core.queue_positions(array(
       select ($1::bigint << 20) + o from unnest($2::bigint[]) o)) q`,
    [taskId, ordinals],
  );
  return rows;
}

async function resultsWaiting(db: Queryable, steps: readonly StepFacts[]): Promise<number> {
  if (!steps.some(({ state }) => state.endsWith("_orchestration"))) return 0;
  const row = await single<{ waiting: number }>(
    db,
    "select count(*)::integer as waiting from pgmq.q_orchestration_step_results",
    [],
  );
  return row?.waiting ?? 0;
}

async function stalenessFacts(
  db: Queryable,
  taskId: string,
  { staleness }: ExplainSettings,
): Promise<StalenessFacts | null> {
  if (staleness === null) return null;
  return await single<StalenessFacts>(
    db,
    `select minutes_in_state, age_minutes, threshold_minutes, lifetime_minutes, is_stale, to_dlq, to_error
     from tasker_core._staleness(array[$1::bigint], $2, $3, $4, $5, $6)`,
    [
      taskId,
      staleness.waitingForDependencies,
      staleness.waitingForRetry,
      staleness.stepsInProcess,
      staleness.maxLifetimeHours,
      staleness.enforceLifecycle,
    ],
  );
}

async function single<Row extends object>(
  db: Queryable,
  sql: string,
  values: readonly unknown[],
): Promise<Row | null> {
  const { rows } = await db.query<Row>(sql, [...values]);
  return rows[0] ?? null;
}
