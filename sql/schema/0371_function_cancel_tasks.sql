-- purpose: ends tasks by hand, with everything in them that could still run: steps become cancelled, their messages and
--          timers go, and leases are fenced off so that late results are stale. Workers that run a step are told.
-- p_task_ids: any order. p_worker_id: the host that acts, null for a command line.
-- returns: one row per task that exists: whether this call closed it, the state it was in (when it was final already,
--          that is why not), and which steps were running where.
-- locks: steps ascending, then tasks ascending; messages and timers with skip locked.
-- sqlstate: 40001, see _lock_task_steps.
create function tasker_core._close_tasks(
  p_worker_id integer, p_task_ids bigint[], p_to tasker_core.task_state, p_action text, p_actor text, p_reason text,
  p_metadata jsonb default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[] := array(select distinct t from unnest(p_task_ids) t order by 1);
  v_ended tasker_core.steps[];
  v_ended_ids bigint[];
  v_tasks tasker_core.tasks[];
  v_open bigint[];
begin
  -- lock
  v_ended := tasker_core._lock_task_steps(v_task_ids);
  select coalesce(array_agg(t order by t.task_id), '{}') into v_tasks
  from tasker_core.tasks t where t.task_id = any(v_task_ids);
  v_open := array(
    select t.task_id from unnest(v_tasks) t
    where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually') order by t.task_id);
  -- A task that is resolved keeps its failed steps: they say why somebody had to.
  select coalesce(array_agg(s order by s.step_id), '{}'), coalesce(array_agg(s.step_id order by s.step_id), '{}')
  into v_ended, v_ended_ids
  from unnest(v_ended) s
  where v_open[width_bucket(s.step_id >> 20, v_open)] = s.step_id >> 20
    and s.state not in ('complete', 'cancelled', 'resolved_manually')
    and (p_to = 'cancelled' or s.state <> 'error');

  -- change: steps
  update tasker_core.steps s set
    state = 'cancelled', leased_until = null, message_id = null, processed_at = v_now, updated_at = v_now,
    -- Only a running attempt is fenced off: the token of an accepted result stays, its repeat is not late.
    lease_token = s.lease_token + case when s.state = 'in_progress' then 1 else 0 end
  where s.step_id = any(v_ended_ids);
  perform tasker_core._withdraw_steps(v_ended);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x, v_now, 'cancel', p_worker_id from unnest(v_ended_ids) x;

  -- change: tasks
  update tasker_core.tasks t set
    state = p_to, state_since = v_now, n_total = c.total, n_complete = c.complete, n_cancelled = c.cancelled,
    n_error = c.failed, n_pipeline = c.pipeline, n_waiting_retry = c.waiting_retry
  from unnest(v_open) o(id), lateral (select x.* from tasker_core._count_steps(o.id) x) c
  where t.task_id = o.id;
  insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
  select t.task_id, v_now, t.state, p_to, p_worker_id from unnest(v_tasks) t where t.task_id = any(v_open);
  insert into tasker_core.operator_actions (at, action, task_id, from_state, to_state, actor, reason, metadata)
  select v_now, p_action, t.task_id, t.state, p_to, p_actor, p_reason, p_metadata
  from unnest(v_tasks) t where t.task_id = any(v_open);

  -- notify
  perform tasker_core._tell_workers('task_cancelled', array_agg(s.worker_id), array_agg(s.step_id))
  from unnest(v_ended) s where s.state = 'in_progress';
  return query
  select t.task_id, t.task_id = any(v_open), t.state,
    array(select s.step_id from unnest(v_ended) s
      where s.step_id >> 20 = t.task_id and s.state = 'in_progress' and s.worker_id is not null order by s.step_id),
    array(select s.worker_id from unnest(v_ended) s
      where s.step_id >> 20 = t.task_id and s.state = 'in_progress' and s.worker_id is not null order by s.step_id)
  from unnest(v_tasks) t;
end $$;

-- purpose: Cancel: every step that is not final becomes cancelled, failed ones too, and the task is cancelled.
create function tasker_core.cancel_tasks(
  p_worker_id integer, p_task_ids bigint[], p_actor text default 'operator', p_reason text default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language sql volatile set search_path to '' as $$
  select c.* from tasker_core._close_tasks(p_worker_id, p_task_ids, 'cancelled', 'cancel_task', p_actor, p_reason) c
$$;

-- purpose: ResolveManually: the task is closed as dealt with elsewhere. Failed steps stay as they are, what could still
--          run is cancelled.
create function tasker_core.resolve_tasks(
  p_worker_id integer, p_task_ids bigint[], p_actor text default 'operator', p_reason text default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language sql volatile set search_path to '' as $$
  select c.*
  from tasker_core._close_tasks(p_worker_id, p_task_ids, 'resolved_manually', 'resolve_task', p_actor, p_reason) c
$$;
