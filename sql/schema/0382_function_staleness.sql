-- purpose: finds tasks that have stood still for too long, and gives them up (contract/states.md section 9). Off the
--          hot path: reads all open tasks.

-- Minutes that a task may stay in a state; null for states that are not watched. p_lifecycle: of the task's template.
-- evaluating_results is where a task with running steps rests, so it counts as steps_in_process.
create function tasker.calculate_staleness_threshold(
  p_state text, p_lifecycle jsonb, p_waiting_for_dependencies integer default 60,
  p_waiting_for_retry integer default 30, p_steps_in_process integer default 30
) returns integer
language sql immutable parallel safe
as $$
  select case p_state
    when 'waiting_for_dependencies' then
      coalesce((p_lifecycle ->> 'max_waiting_for_dependencies_minutes')::integer, p_waiting_for_dependencies)
    when 'waiting_for_retry' then
      coalesce((p_lifecycle ->> 'max_waiting_for_retry_minutes')::integer, p_waiting_for_retry)
    when 'steps_in_process' then
      coalesce((p_lifecycle ->> 'max_steps_in_process_minutes')::integer, p_steps_in_process)
    when 'evaluating_results' then
      coalesce((p_lifecycle ->> 'max_steps_in_process_minutes')::integer, p_steps_in_process)
  end
$$;

-- How long watched tasks have stood still, and what is to happen when that was too long. p_task_ids: null for all.
-- p_enforce false (compatibility profile): max_duration_minutes and the actions of the template have no effect.
create function tasker_core._staleness(
  p_task_ids bigint[], p_waiting_for_dependencies integer, p_waiting_for_retry integer, p_steps_in_process integer,
  p_max_lifetime_hours integer, p_enforce boolean
) returns table (
  task_id bigint, state tasker_core.task_state, minutes_in_state integer, age_minutes integer,
  threshold_minutes integer, lifetime_minutes integer, is_stale boolean, to_dlq boolean, to_error boolean
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
begin
  return query
  with lifecycles as materialized (
    select t.template_id, (t.compiled #> '{configuration,lifecycle}')::jsonb as lifecycle,
      case when p_enforce
        then coalesce(t.compiled #>> '{configuration,lifecycle,staleness_action}', 'dlq') else 'dlq' end as action
    from tasker_core.templates t
  ), watched as (
    select t.task_id, t.state, t.state_since, l.lifecycle, l.action, tasker.calculate_staleness_threshold(
        -- Waiting for a retry is no state of its own here.
        case when t.state = 'waiting_for_dependencies' and t.n_waiting_retry > 0 then 'waiting_for_retry'
          else t.state::text end,
        l.lifecycle, p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process) as threshold,
      least(p_max_lifetime_hours * 60,
        case when p_enforce then (l.lifecycle ->> 'max_duration_minutes')::integer end) as lifetime,
      extract(epoch from v_now - r.created_at) / 60 as age
    from tasker_core.tasks t
    join lifecycles l on l.template_id = t.template_id
    join tasker_core.task_requests r on r.task_id = t.task_id
    where t.state in ('waiting_for_dependencies', 'waiting_for_retry', 'steps_in_process', 'evaluating_results')
      and (p_task_ids is null or t.task_id = any(p_task_ids))
  ), timed as (
    select w.*, extract(epoch from v_now - case
        when w.state_since > v_now - make_interval(mins => w.threshold) then w.state_since
        -- A task may work for long without a change of its own state.
        when w.state in ('steps_in_process', 'evaluating_results') then greatest(w.state_since, (
          select max(s.updated_at) from tasker_core.steps s
          where s.step_id >= w.task_id << 20 and s.step_id < (w.task_id + 1) << 20))
        else w.state_since
      end) / 60 as still
    from watched w
  )
  select x.task_id, x.state, floor(x.still)::integer, floor(x.age)::integer, x.threshold, x.lifetime,
    x.still >= x.threshold or x.age >= x.lifetime,
    x.action = 'dlq' and (not p_enforce or coalesce((x.lifecycle ->> 'auto_dlq_on_timeout')::boolean, true)),
    x.action in ('dlq', 'error') and (not p_enforce or coalesce((x.lifecycle ->> 'auto_fail_on_timeout')::boolean, true))
  from timed x;
end $$;

-- purpose: stale tasks about which something is to be done, those that have stood still for longest first. A pending
--          entry hides its task, unless it is about one step that failed.
create function tasker.get_stale_tasks_for_dlq(
  p_waiting_for_dependencies integer default 60, p_waiting_for_retry integer default 30,
  p_steps_in_process integer default 30, p_max_lifetime_hours integer default 24, p_limit integer default 100,
  p_enforce_lifecycle boolean default true
) returns table (
  task_uuid uuid, namespace_name text, task_name text, current_state text, time_in_state_minutes integer,
  task_age_minutes integer, staleness_threshold_minutes integer, to_dlq boolean, to_error boolean, task_id bigint
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, nt.name::text, x.state::text, x.minutes_in_state, x.age_minutes, x.threshold_minutes,
    x.to_dlq, x.to_error, x.task_id
  from tasker_core._staleness(null, p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process,
    p_max_lifetime_hours, p_enforce_lifecycle) x
  join tasker_core.task_requests r on r.task_id = x.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where x.is_stale and (x.to_dlq or x.to_error)
    and not exists (select from tasker_core.tasks_dlq d
      where d.task_id = x.task_id and d.resolution_status = 'pending'
        and not (x.to_error and d.dlq_reason in ('max_retries_exceeded', 'worker_unavailable')))
  order by x.minutes_in_state desc, x.task_id
  limit p_limit
$$;

-- purpose: gives a task up: its state is error, what could still run in it is cancelled, and workers that run a step are
--          told. False when the task does not exist or is final.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.transition_stale_task_to_error(p_task_uuid uuid, p_reason text default null) returns boolean
language sql volatile set search_path to '' as $$
  select coalesce((
    select c.closed
    from tasker_core.task_requests r, lateral tasker_core._close_tasks(
      null, array[r.task_id], 'error', 'expire_task', 'staleness_detection', p_reason) c
    where r.task_uuid = p_task_uuid), false)
$$;

-- purpose: one round of staleness detection.
-- action_taken: would_transition_to_dlq_and_error (dry run: nothing is changed) | transitioned_to_dlq_and_error |
--          moved_to_dlq_only | transitioned_to_error_only | transition_failed (the task went on in the meantime).
-- locks: all steps of the stale tasks ascending, then the tasks ascending. sqlstate: 40001, see _lock_task_steps.
create function tasker.detect_and_transition_stale_tasks(
  p_dry_run boolean default true, p_batch_size integer default 100, p_waiting_for_dependencies integer default 60,
  p_waiting_for_retry integer default 30, p_steps_in_process integer default 30,
  p_max_lifetime_hours integer default 24, p_enforce_lifecycle boolean default true
) returns table (
  task_uuid uuid, namespace_name text, task_name text, current_state text, time_in_state_minutes integer,
  staleness_threshold_minutes integer, action_taken text, moved_to_dlq boolean, transition_success boolean,
  task_id bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_ids bigint[];
  v_stale bigint[];
  v_recorded bigint[] := '{}';
  v_closed bigint[] := '{}';
  v_tasks jsonb;
  v_task record;
begin
  -- guard
  select coalesce(array_agg(g.task_id), '{}'), coalesce(jsonb_agg(to_jsonb(g)), '[]') into v_ids, v_tasks
  from tasker.get_stale_tasks_for_dlq(p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process,
    p_max_lifetime_hours, p_batch_size, p_enforce_lifecycle) g;

  if not p_dry_run and cardinality(v_ids) > 0 then
    -- lock
    perform tasker_core._lock_task_steps(v_ids);
    -- A new statement: some may have gone on while this waited.
    v_stale := array(
      select s.task_id from tasker_core._staleness(v_ids, p_waiting_for_dependencies, p_waiting_for_retry,
        p_steps_in_process, p_max_lifetime_hours, p_enforce_lifecycle) s where s.is_stale);

    -- change
    for v_task in
      select x.* from jsonb_to_recordset(v_tasks) x(task_id bigint, to_dlq boolean, current_state text,
        time_in_state_minutes integer, task_age_minutes integer, staleness_threshold_minutes integer)
      where x.to_dlq and x.task_id = any(v_stale) order by x.task_id
    loop
      if (select e.created from tasker_core._create_dlq_entry(v_task.task_id, 'staleness_timeout', jsonb_build_object(
        'time_in_state_minutes', v_task.time_in_state_minutes, 'task_age_minutes', v_task.task_age_minutes,
        'staleness_threshold_minutes', v_task.staleness_threshold_minutes), v_now) e)
      then
        v_recorded := v_recorded || v_task.task_id;
      end if;
    end loop;
    v_closed := array(
      select c.task_id from tasker_core._close_tasks(null, array(
          select x.task_id from jsonb_to_recordset(v_tasks) x(task_id bigint, to_error boolean)
          where x.to_error and x.task_id = any(v_stale)),
        'error', 'expire_task', 'staleness_detection', 'stood still for longer than its limits allow') c
      where c.closed);
  end if;

  return query
  select x.task_uuid, x.namespace_name, x.task_name, x.current_state, x.time_in_state_minutes,
    x.staleness_threshold_minutes,
    case
      when p_dry_run then 'would_transition_to_dlq_and_error'
      when x.task_id = any(v_recorded) and x.task_id = any(v_closed) then 'transitioned_to_dlq_and_error'
      when x.task_id = any(v_recorded) then 'moved_to_dlq_only'
      when x.task_id = any(v_closed) then 'transitioned_to_error_only'
      else 'transition_failed'
    end,
    x.task_id = any(v_recorded), x.task_id = any(v_closed), x.task_id
  from jsonb_to_recordset(v_tasks) x(task_uuid uuid, namespace_name text, task_name text, current_state text,
    time_in_state_minutes integer, staleness_threshold_minutes integer, task_id bigint);
end $$;
