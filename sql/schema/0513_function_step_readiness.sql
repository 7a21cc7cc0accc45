-- purpose: readiness of steps (contract/states.md section 3). A parent counts by its own state whether or not the caller
--          asked for it. next_retry_at is the timer that will fire, for a failed step the formula; a step that is neither
--          waits for no time, so null. A batch worker that waits for its turn has its dependencies satisfied but is not
--          ready. last_failure_at is the latest failed result, or when the step entered error.
-- The rule itself. p_next_retry_time: null when nothing delays the step.
create function tasker.evaluate_step_state_readiness(
  p_current_state text, p_processed boolean, p_in_process boolean, p_dependencies_satisfied boolean,
  p_retry_eligible boolean, p_next_retry_time timestamp without time zone default null
) returns boolean
language sql stable parallel safe
as $$
  select p_current_state in ('pending', 'waiting_for_retry') and not p_processed and not p_in_process
    and p_dependencies_satisfied and p_retry_eligible
    and (p_next_retry_time is null or p_next_retry_time <= tasker.now() at time zone 'UTC')
$$;

create function tasker_core._step_readiness(p_task_ids bigint[])
returns table (
  step_id bigint, workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.step_id, tasker_core.step_uuid(x.task_uuid, x.step_id), x.task_uuid, x.named_step_uuid, x.name::text,
    x.state::text, x.satisfied, x.eligible,
    tasker.evaluate_step_state_readiness(x.state::text, false, false,
      x.satisfied and (x.state <> 'pending' or x.pending = 0), x.eligible,
      case when x.state = 'waiting_for_retry' then x.due_at at time zone 'UTC' end),
    x.failed_at at time zone 'UTC',
    case x.state
      when 'waiting_for_retry' then x.due_at at time zone 'UTC'
      when 'error' then tasker.calculate_step_next_retry_time(x.backoff_seconds,
        x.last_attempted_at at time zone 'UTC', x.failed_at at time zone 'UTC', x.attempts)
    end,
    x.total, x.completed, x.attempts, x.max_attempts, x.backoff_seconds, x.last_attempted_at at time zone 'UTC'
  from (
    select s.step_id, r.task_uuid, ns.named_step_uuid, coalesce(s.name, ns.name) as name, s.state,
      coalesce(p.total, 0) as total, coalesce(p.completed, 0) as completed,
      coalesce(p.total = p.completed, true) as satisfied,
      s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts) as eligible,
      (select st.due_at from tasker_core.step_timers st where st.step_id = s.step_id) as due_at,
      coalesce(
        (select sr.recorded_at from tasker_core.step_results sr
         where sr.step_id = s.step_id and not sr.success order by sr.token desc limit 1),
        case when s.state = 'error' then s.updated_at end) as failed_at,
      s.attempts, s.max_attempts, s.backoff_seconds, s.last_attempted_at, s.pending_dependencies as pending
    from (select distinct u.task_id from unnest(p_task_ids) u(task_id)) k
    join tasker_core.task_requests r on r.task_id = k.task_id
    join tasker_core.steps s on s.step_id >= k.task_id << 20 and s.step_id < (k.task_id + 1) << 20
    join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
    join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
    left join (
      select e.to_id, count(*)::integer as total, (count(*) filter (
        where ps.state in ('complete', 'resolved_manually') or (ps.state = 'error' and ps.failure_tolerated)
      ))::integer as completed
      from (select distinct u.task_id from unnest(p_task_ids) u(task_id)) q
      cross join lateral tasker_core._task_edges(q.task_id) e
      join tasker_core.steps ps on ps.step_id = e.from_id
      group by e.to_id
    ) p on p.to_id = s.step_id
  ) x
$$;

create function tasker.get_step_readiness_status_batch(p_task_uuids uuid[], p_step_uuids uuid[] default null)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.workflow_step_uuid, x.task_uuid, x.named_step_uuid, x.name, x.current_state, x.dependencies_satisfied,
    x.retry_eligible, x.ready_for_execution, x.last_failure_at, x.next_retry_at, x.total_parents, x.completed_parents,
    x.attempts, x.max_attempts, x.backoff_request_seconds, x.last_attempted_at
  from tasker_core._step_readiness(array(
    select r.task_id from tasker_core.task_requests r where r.task_uuid = any(p_task_uuids))) x
  where p_step_uuids is null or x.workflow_step_uuid = any(p_step_uuids)
  order by x.task_uuid, x.workflow_step_uuid
$$;

create function tasker.get_step_readiness_status(p_task_uuid uuid, p_step_uuids uuid[] default null)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select * from tasker.get_step_readiness_status_batch(array[p_task_uuid], p_step_uuids)
$$;

create function tasker.get_ready_steps(p_task_uuid uuid)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.* from tasker.get_step_readiness_status(p_task_uuid) x where x.ready_for_execution
$$;

-- Null when the uuid names no step.
create function tasker.check_step_dependencies(p_step_uuid uuid) returns boolean
language sql stable set search_path to '' as $$
  select x.dependencies_satisfied
  from tasker_core._step_readiness(array[tasker_core._existing_step_id(p_step_uuid) >> 20]) x
  where x.workflow_step_uuid = p_step_uuid
$$;
