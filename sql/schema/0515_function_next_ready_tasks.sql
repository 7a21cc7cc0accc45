-- purpose: tasks that polling should look at next (contract/states.md sections 5 and 9). A priority ages: it grows during
--          the first hour in a state, then fades, so that a task that is stuck does not keep others from their turn.
create function tasker_core._computed_priority(
  p_priority integer, p_created_at timestamptz, p_state_since timestamptz, p_now timestamptz
) returns numeric
language sql immutable parallel safe set search_path to '' as $$
  select case
    when p_now - p_state_since < interval '1 hour'
      then p_priority + extract(epoch from p_now - p_created_at) / 3600 * 0.1
    when p_now - p_state_since < interval '24 hours'
      then p_priority * exp(-extract(epoch from p_now - p_state_since) / 3600 / 12)
    else 0.1
  end
$$;

create function tasker_core._ready_steps_count(p_task_id bigint) returns bigint
language sql stable set search_path to '' as $$
  select count(*)
  from tasker_core.steps s
  where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
    and s.state in ('pending', 'waiting_for_retry') and s.pending_dependencies = 0
    and (s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts))
    and (s.state = 'pending' or not exists (
      select from tasker_core.step_timers st where st.step_id = s.step_id and st.due_at > tasker.now()))
$$;

create function tasker.get_task_ready_info(p_task_uuid uuid)
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, r.priority, ns.name::text, tasker_core._ready_steps_count(t.task_id),
    tasker_core._computed_priority(r.priority, r.created_at, t.state_since, tasker.now()), t.state::text
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where r.task_uuid = p_task_uuid
$$;

-- Steps in error make a task blocked, whatever else is ready: the counter tells without looking at its steps.
create function tasker.get_next_ready_tasks(p_limit integer default 5)
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, r.priority, ns.name::text, c.ready,
    tasker_core._computed_priority(r.priority, r.created_at, t.state_since, tasker.now()) as computed, t.state::text
  from tasker_core.tasks t
  cross join lateral (select tasker_core._ready_steps_count(t.task_id) as ready) c
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  -- By the task's own row first: steps are counted only of those that are left.
  where (t.state = 'pending' or (t.n_error = 0 and (
      (t.state = 'waiting_for_dependencies' and t.state_since >= tasker.now() - interval '60 minutes')
      or (t.state = 'waiting_for_retry' and t.state_since >= tasker.now() - interval '30 minutes'))))
    and (t.state = 'pending' or c.ready > 0)
  order by computed desc, r.created_at, t.task_id
  limit p_limit
$$;

create function tasker.get_next_ready_task()
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select * from tasker.get_next_ready_tasks(1)
$$;

create function tasker.get_task_execution_contexts_batch(p_task_uuids uuid[])
returns table (
  task_uuid uuid, named_task_uuid uuid, status text, total_steps bigint, pending_steps bigint,
  in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
  recommended_action text, completion_percentage numeric, health_status text, enqueued_steps bigint
)
language sql stable set search_path to '' as $$
  select c.*
  from (select distinct u.id from unnest(p_task_uuids) u(id)) k
  cross join lateral tasker.get_task_execution_context(k.id) c
  order by c.task_uuid
$$;

create function tasker.find_stuck_tasks(p_minutes integer default 10)
returns table (
  task_uuid uuid, task_name text, namespace_name text, current_state text, minutes_in_state numeric,
  state_since timestamp without time zone
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, ns.name::text, t.state::text,
    round(extract(epoch from tasker.now() - t.state_since) / 60, 2), t.state_since at time zone 'UTC'
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
    and t.state_since <= tasker.now() - make_interval(mins => p_minutes)
  order by t.state_since, t.task_id
$$;
