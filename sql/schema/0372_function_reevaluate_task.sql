-- purpose: how many of a step's parents are not satisfied. Exact while the caller holds the task's steps.
create function tasker_core._unsatisfied_parents(p_step_id bigint, p_template_step_id bigint) returns integer
language sql stable set search_path to '' as $$
  select count(*)::integer
  from (
    -- Edges of the template stand between steps that exist from the start; all others are rows.
    select (p_step_id >> 20 << 20) + d.ordinal as step_id
    from tasker_core.template_steps ts, unnest(ts.dependencies) d(ordinal), tasker_core.template_steps pts
    where ts.template_step_id = p_template_step_id and ts.initial
      and pts.template_step_id = (p_template_step_id >> 20 << 20) + d.ordinal and pts.initial
    union all
    select e.from_id from tasker_core.step_edges e where e.to_id = p_step_id
  ) p
  join tasker_core.steps s on s.step_id = p.step_id
  where s.state not in ('complete', 'resolved_manually') and not (s.state = 'error' and s.failure_tolerated)
$$;

-- purpose: brings a task to where it belongs after an operator has changed its steps: counters, and unless it is final,
--          its state. Once no step is in error, everything that failures have kept back is sent: steps with nothing
--          pending, and retries whose timer found the task blocked and was dropped.
-- p_state: the task's state after; p_queued: steps that were made visible in their queue.
-- locks: none of its own; the caller holds the task and all of its steps.
create function tasker_core._reevaluate_task(
  p_worker_id integer, p_task_id bigint, p_now timestamptz,
  out task_state tasker_core.task_state, out queued integer
)
language plpgsql set search_path to '' as $$
declare
  v_task tasker_core.tasks;
  v_counts record;
  v_held_back tasker_core.steps[];
  v_ids bigint[];
begin
  queued := 0;
  select * into v_task from tasker_core.tasks t where t.task_id = p_task_id;
  select * into v_counts from tasker_core._count_steps(p_task_id);
  task_state := v_task.state;
  if v_counts.failed = 0 and v_task.state not in ('complete', 'error', 'cancelled', 'resolved_manually') then
    -- A step with a timer is the timer's business.
    select coalesce(array_agg(s order by s.step_id), '{}') into v_held_back
    from tasker_core.steps s
    where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
      and (s.state = 'waiting_for_retry' or (s.state = 'pending' and s.pending_dependencies = 0))
      and not exists (select from tasker_core.step_timers t where t.step_id = s.step_id);
    v_ids := array(select s.step_id from unnest(v_held_back) s where s.state = 'pending' order by 1);
    if cardinality(v_ids) > 0 then
      perform 1 from tasker_core._send_from(v_ids, v_held_back, false, p_worker_id, '{}', '{}', '{}', 0, interval '0', p_now);
    end if;
    v_ids := array(select s.step_id from unnest(v_held_back) s where s.state = 'waiting_for_retry' order by 1);
    if cardinality(v_ids) > 0 then
      perform 1 from tasker_core._send_from(v_ids, v_held_back, true, p_worker_id, '{}', '{}', '{}', 0, interval '0', p_now);
    end if;
    queued := cardinality(v_held_back);
    select * into v_counts from tasker_core._count_steps(p_task_id);
    task_state := tasker_core._next_task_state(
      case v_task.state when 'blocked_by_failures' then 'evaluating_results' else v_task.state end,
      v_counts.total, v_counts.complete, v_counts.cancelled, v_counts.failed, v_counts.pipeline, queued > 0);
  end if;

  update tasker_core.tasks t set
    n_total = v_counts.total, n_complete = v_counts.complete, n_cancelled = v_counts.cancelled,
    n_error = v_counts.failed, n_pipeline = v_counts.pipeline, n_waiting_retry = v_counts.waiting_retry,
    state = task_state,
    state_since = case when t.state = task_state and not (task_state = 'steps_in_process' and queued > 0)
      then t.state_since else p_now end,
    completed_at = case when task_state = 'complete' and t.state <> 'complete' then p_now else t.completed_at end
  where t.task_id = p_task_id;
  if task_state <> v_task.state or (task_state = 'steps_in_process' and queued > 0) then
    insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
    values (p_task_id, p_now, v_task.state, task_state, p_worker_id);
  end if;
end $$;
