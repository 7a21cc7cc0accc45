-- purpose: the transition history of the contract, expanded from the logs: one row per transition, in order.
create view tasker.task_transitions as
select md5('task:' || x.log_id || ':' || x.n)::uuid as task_transition_uuid, r.task_uuid,
  lag(x.state) over w as from_state, x.state as to_state,
  jsonb_build_object('event', x.event) as metadata,
  jsonb_build_object('event', x.event) || coalesce(jsonb_strip_nulls(
    jsonb_build_object('actor', a.actor, 'reason', a.reason)) || a.metadata, '{}') as transition_metadata,
  wk.worker_uuid as processor_uuid, (row_number() over w)::integer as sort_key,
  lead(x.state) over w is null as most_recent,
  x.at at time zone 'UTC' as created_at, x.at at time zone 'UTC' as updated_at
from (
  select l.log_id, l.task_id, l.at, l.worker_id, p.n, p.state::text as state, m.events[p.n] as event
  from tasker_core.task_log l
  join tasker_core.task_moves m on m.from_state is not distinct from l.from_state and m.to_state = l.to_state
  cross join unnest(m.path) with ordinality p(state, n)
) x
join tasker_core.task_requests r on r.task_id = x.task_id
left join tasker_core.workers wk on wk.worker_id = x.worker_id
-- Who ended a task by hand, and why; a task is ended once.
left join tasker_core.operator_actions a
  on a.task_id = x.task_id and a.step_id is null and a.to_state = x.state and a.at = x.at
window w as (partition by x.task_id order by x.log_id, x.n);

create view tasker.workflow_step_transitions as
select md5('step:' || x.step_id || ':' || x.log_id || ':' || x.n)::uuid as workflow_step_transition_uuid,
  tasker_core.step_uuid(r.task_uuid, x.step_id) as workflow_step_uuid,
  lag(x.state) over w as from_state, x.state as to_state,
  -- A transition that brought a result was made when that was stored; `data` is the result.
  jsonb_build_object('event', (jsonb_build_object('type', x.event) || coalesce((
      select jsonb_build_object('data', sr.body::jsonb) from tasker_core.step_results sr
      where x.event in ('EnqueueForOrchestration', 'EnqueueAsErrorForOrchestration', 'CompleteManually')
        and sr.step_id = x.step_id and sr.recorded_at = x.at and (sr.worker_id = 0) = (x.event = 'CompleteManually')
      order by sr.token desc limit 1), '{}'))::text, 'timestamp', x.at,
    'worker_uuid', wk.worker_uuid, 'correlation_id', r.correlation_id) as metadata,
  (row_number() over w)::integer as sort_key, lead(x.state) over w is null as most_recent,
  x.at at time zone 'UTC' as created_at, x.at at time zone 'UTC' as updated_at
from (
  -- Every step starts as pending; that first transition is the row's creation and is not logged again.
  select 0::bigint as log_id, s.step_id, s.created_at as at, null::integer as worker_id, 1::bigint as n,
    'pending' as state, 'Created' as event
  from tasker_core.steps s
  union all
  select l.log_id, l.step_id, l.at, l.worker_id, p.n, p.state::text, m.events[p.n]
  from tasker_core.step_log l
  join tasker_core.step_moves m on m.move = l.move
  cross join unnest(m.path) with ordinality p(state, n)
) x
join tasker_core.task_requests r on r.task_id = x.step_id >> 20
left join tasker_core.workers wk on wk.worker_id = x.worker_id
window w as (partition by x.step_id order by x.log_id, x.n);

create view tasker.workflow_step_result_audit as
select md5('result:' || sr.step_id || ':' || sr.token)::uuid as workflow_step_result_audit_uuid,
  tasker_core.step_uuid(r.task_uuid, sr.step_id) as workflow_step_uuid,
  -- The transition that handed the result over: the first of its move.
  md5('step:' || l.step_id || ':' || l.log_id || ':1')::uuid as workflow_step_transition_uuid, r.task_uuid,
  sr.recorded_at at time zone 'UTC' as recorded_at, w.worker_uuid, r.correlation_id, sr.success,
  sr.execution_ms::bigint as execution_time_ms, sr.recorded_at at time zone 'UTC' as created_at,
  sr.recorded_at at time zone 'UTC' as updated_at
-- A result given by hand is no worker's submission. Each of the others was logged by one move, in the same order.
from (
  select s.*, row_number() over (partition by s.step_id order by s.token) as n
  from tasker_core.step_results s where s.worker_id <> 0
) sr
join tasker_core.task_requests r on r.task_id = sr.step_id >> 20
left join tasker_core.workers w on w.worker_id = sr.worker_id
left join (
  select g.step_id, g.log_id, row_number() over (partition by g.step_id order by g.log_id) as n
  from tasker_core.step_log g
  where g.move in ('submit_success', 'submit_error', 'succeed', 'retry_later', 'fail')
) l on l.step_id = sr.step_id and l.n = sr.n;
