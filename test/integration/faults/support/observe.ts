import type { Pool } from "../../../../core/src/db/index.js";

/** What the database says at one moment. */
export interface Look {
  readonly at: Date;
  /** Of the tasks that are not complete. */
  readonly states: Readonly<Record<string, string>>;
  /** What the process holds, dead or not. */
  readonly leases: readonly { readonly step: string; readonly until: Date }[];
  /** Steps whose state and whose messages say different things. */
  readonly disagreeing: readonly string[];
}

interface LookRow {
  at: Date;
  step: string;
  state: string;
  leased_until: Date | null;
  is_victims: boolean;
  agrees: boolean;
}

/** One statement, so one snapshot: between two transactions there is nothing to be seen. */
const LOOK = `
  select clock_timestamp() as at, v.name as step, s.state::text as state, s.leased_until,
    s.state = 'in_progress' and exists (
      select from tasker_core.workers w where w.worker_id = s.worker_id and w.pid = $1) as is_victims,
    case
      when s.state = 'enqueued' then q.count = 1 and q.id = s.message_id and o.count = 0
      when s.state = 'in_progress' then q.count = 1 and q.id = s.message_id and q.vt = s.leased_until and o.count = 0
      when s.state in ('enqueued_for_orchestration', 'enqueued_as_error_for_orchestration') then
        q.count = 0 and o.count = 1 and exists (
          select from tasker_core.step_results r where r.step_id = s.step_id and r.token = s.lease_token)
      else q.count = 0 and o.count = 0
    end as agrees
  from tasker_core.steps s
  join tasker.workflow_steps v on v.step_id = s.step_id
  join tasker_core.tasks t on t.task_id = s.step_id >> 20 and t.state <> 'complete',
  lateral (select count(*), min(m.msg_id) as id, min(m.vt) as vt from pgmq.q_worker_tests_queue m
    where tasker_core.step_id_in(m.message) = s.step_id) q,
  lateral (select count(*) from pgmq.q_orchestration_step_results m
    where tasker_core.step_id_of((m.message ->> 'step_uuid')::uuid) = s.step_id) o`;

export async function look(pool: Pool, victimPid: number): Promise<Look> {
  const { rows } = await pool.query<LookRow>(LOOK, [victimPid]);
  return {
    at: rows[0]?.at ?? new Date(),
    states: Object.fromEntries(rows.map(({ step, state }) => [step, state])),
    leases: rows.flatMap(({ step, leased_until: until, is_victims }) =>
      is_victims && until !== null ? [{ step, until }] : [],
    ),
    disagreeing: rows.flatMap(({ step, state, agrees }) => (agrees ? [] : [`${step} ${state}`])),
  };
}

export async function taskOf(
  pool: Pool,
  taskUuid: string,
): Promise<{ state: string; completedAt: Date; count: number }> {
  const { rows } = await pool.query<{ state: string; completed_at: Date; count: number }>(
    `select t.state::text, t.completed_at, (select count(*)::int from tasker_core.tasks) as count
     from tasker_core.tasks t
     where t.task_id = (select r.task_id from tasker_core.task_requests r where r.task_uuid = $1)`,
    [taskUuid],
  );
  const row = rows[0];
  if (row === undefined) throw new Error(`there is no task ${taskUuid}`);
  return { state: row.state, completedAt: row.completed_at, count: row.count };
}

export async function stepsOf(pool: Pool, taskUuid: string) {
  const { rows } = await pool.query<{
    name: string;
    value: number;
    successes: number;
    failures: number;
  }>(
    `select v.name, (v.results #>> '{result,value}')::int as value,
       (select count(*)::int from tasker_core.step_results r where r.step_id = v.step_id and r.success) as successes,
       (select count(*)::int from tasker_core.step_results r where r.step_id = v.step_id and not r.success) as failures
     from tasker.workflow_steps v where v.task_uuid = $1 order by v.step_id`,
    [taskUuid],
  );
  return rows;
}

export async function runsOf(pool: Pool, taskUuid: string) {
  const { rows } = await pool.query<{
    step: string;
    attempt: number;
    key: string;
    pid: number;
    at: Date;
  }>("select step, attempt, key, pid, at from public.runs where task_uuid = $1 order by at", [
    taskUuid,
  ]);
  return rows;
}
