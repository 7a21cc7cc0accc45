-- purpose: an operator's action on one step (contract/states.md section 8): the step's transition, what it means for its
--          dependents, and the task going on from there, in one commit.
-- p_body: the contract's step execution result, for CompleteManually only. p_plan: what that result creates, one plan as
--          in _expand_plans; null for nothing. A batch that was created already is not created again, and a task that is
--          final gets no new steps.
-- returns: one row.
--   outcome     done | step_not_found | step_refuses (from_state has no such event) | task_is_final (a step that is
--               reset there would never run)
--   from_state, to_state      of the step, by this action; it may have been enqueued since
--   from_task_state, task_state, queued      where the task was, where it is, and how many steps this sent
--   namespace_id              whose queue they are in
--   running_worker_id         who ran the step when it was taken away; that worker is told
-- locks: steps ascending, then the task; messages and timers with skip locked.
-- sqlstate: 40001, see _lock_task_steps; 22023 when a batch worker of the plan's name exists.
create function tasker_core._act_on_step(
  p_worker_id integer, p_step_id bigint, p_event text, p_action text, p_actor text, p_reason text, p_body json,
  p_plan json default null
) returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_id bigint := p_step_id >> 20;
  v_steps tasker_core.steps[];
  v_step tasker_core.steps;
  v_from_task tasker_core.task_state;
  v_to tasker_core.step_state;
  v_change integer;
  v_children bigint[];
  v_edges integer[];
  v_task record;
begin
  -- lock
  v_steps := tasker_core._lock_task_steps(array[v_task_id]);
  select t.state into v_from_task from tasker_core.tasks t where t.task_id = v_task_id;

  -- guard
  select s.* into v_step from unnest(v_steps) s where s.step_id = p_step_id;
  if not found then
    return query select 'step_not_found', null::tasker_core.step_state, null::tasker_core.step_state, v_from_task,
      v_from_task, 0, null::integer, null::integer;
    return;
  end if;
  select r.to_state into v_to from tasker_core.step_transition_rules r
  where r.from_state = v_step.state and r.event = p_event;
  if not found or (p_event = 'ResetForRetry' and v_from_task in ('complete', 'error', 'cancelled', 'resolved_manually'))
  then
    return query select case when v_to is null then 'step_refuses' else 'task_is_final' end, v_step.state,
      null::tasker_core.step_state, v_from_task, v_from_task, 0, v_step.queue_id >> 2, null::integer;
    return;
  end if;

  -- change: the step
  update tasker_core.steps s set
    state = v_to, leased_until = null, message_id = null, updated_at = v_now,
    processed_at = case when v_to = 'pending' then null else v_now end,
    -- A running attempt is fenced off, and a result given by hand has a token of its own.
    lease_token = s.lease_token + case when s.state = 'in_progress' or p_body is not null then 1 else 0 end,
    attempts = case when v_to = 'pending' then 0 else s.attempts end,
    deaths = case when v_to = 'pending' then 0 else s.deaths end,
    solo = s.solo and v_to <> 'pending',
    backoff_seconds = case when v_to = 'pending' then null else s.backoff_seconds end,
    pending_dependencies = case when v_to = 'pending'
      then tasker_core._unsatisfied_parents(s.step_id, s.template_step_id) else s.pending_dependencies end
  where s.step_id = p_step_id;
  perform tasker_core._withdraw_steps(array[v_step]);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  values (p_step_id, v_now, case p_event
    when 'ResetForRetry' then 'reset' when 'ResolveManually' then 'resolve_by_hand' when 'Cancel' then 'cancel'
    else 'complete_by_hand'
  end::tasker_core.step_move, p_worker_id);

  -- change: its result
  if p_body is not null then
    if exists (select from tasker_core.step_results r where r.step_id = p_step_id) then
      -- Claims carry the epoch: whoever runs a dependent from now on reads the new result.
      update tasker_core.tasks t set data_epoch = t.data_epoch + 1 where t.task_id = v_task_id;
    end if;
    -- No worker has the id 0: given by hand.
    insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, retryable, execution_ms, body)
    values (p_step_id, v_step.lease_token + 1, v_now, 0, true, false, 0, p_body);
  end if;

  -- change: dependents, when the step enters the satisfied set, or leaves it (a tolerated failure, reset or cancelled)
  v_change := case when v_to in ('complete', 'resolved_manually') then -1 else 0 end;
  if v_step.state in ('complete', 'resolved_manually') or (v_step.state = 'error' and v_step.failure_tolerated) then
    v_change := v_change + 1;
  end if;
  if v_change <> 0 then
    select array_agg(x.child_id order by x.child_id), array_agg(x.n order by x.child_id) into v_children, v_edges
    from (
      select e.child_id, count(*)::integer as n
      from tasker_core._children_of(array[p_step_id]) c, unnest(c.children) e(child_id) group by e.child_id
    ) x;
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies + v_change * v_edges[width_bucket(s.step_id, v_children)],
      updated_at = v_now
    where s.step_id = any(v_children) and s.state = 'pending';
  end if;

  -- change: what the result creates; its step is satisfied by now, so edges from it do not count
  if p_plan is not null and v_from_task not in ('complete', 'error', 'cancelled', 'resolved_manually')
    and not exists (select from tasker_core.step_edges e where e.from_id = p_step_id and e.name = 'batch_dependency')
  then
    perform tasker_core._expand_plans(json_build_object(p_step_id, p_plan), array[p_step_id], v_now);
  end if;

  -- change: the task
  select * into v_task from tasker_core._reevaluate_task(p_worker_id, v_task_id, v_now);
  insert into tasker_core.operator_actions (at, action, task_id, step_id, from_state, to_state, actor, reason)
  values (v_now, p_action, v_task_id, p_step_id, v_step.state, v_to, p_actor, p_reason);

  -- notify
  if v_step.state = 'in_progress' then
    perform tasker_core._tell_workers('lease_lost', array[v_step.worker_id], array[p_step_id]);
  end if;
  return query select 'done', v_step.state, v_to, v_from_task, v_task.task_state, v_task.queued, v_step.queue_id >> 2,
    case when v_step.state = 'in_progress' then v_step.worker_id end;
end $$;

-- purpose: ResetForRetry: a failed step starts over with all of its attempts.
create function tasker_core.reset_step_for_retry(p_worker_id integer, p_step_id bigint, p_actor text, p_reason text)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'ResetForRetry', 'reset_step', p_actor, p_reason, null) a
$$;

-- purpose: ResolveManually: the step counts as done; its dependents see whatever result it had.
create function tasker_core.resolve_step_manually(p_worker_id integer, p_step_id bigint, p_actor text, p_reason text)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'ResolveManually', 'resolve_step', p_actor, p_reason, null) a
$$;

-- purpose: CompleteManually: the step is complete with a result that somebody gives.
create function tasker_core.complete_step_manually(
  p_worker_id integer, p_step_id bigint, p_actor text, p_reason text, p_body json, p_plan json default null
)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'CompleteManually', 'complete_step', p_actor, p_reason, p_body, p_plan) a
$$;
