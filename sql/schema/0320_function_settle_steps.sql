-- purpose: settles steps whose results are accepted: final states, dependencies, due retries, sending, tasks. The one
--          place where a result has consequences; tick (fused) and process_step_results (split) both end here.
-- p_steps: rows locked by the caller (reporting steps, their children, due retries), ascending. p_completed,
--          p_retrying and p_failed are disjoint and ascending. p_parents / p_children: one entry per reporting step and
--          child. p_plans: see _expand_plans, null when no result creates steps. p_split: the results were submitted before, so only the second half of the transitions is logged.
-- locks:   task rows, ascending. Deletes timers that the caller has locked (p_due).
create function tasker_core._settle_steps(
  p_worker_id integer, p_steps tasker_core.steps[], p_completed bigint[], p_retrying bigint[], p_retry_ms integer[],
  p_failed bigint[], p_parents bigint[], p_children bigint[], p_due bigint[], p_plans json, p_split boolean,
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_timer_limit integer, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_tolerated bigint[];     -- failures that their dependents live with
  v_satisfying bigint[];    -- what lets children go on, ascending
  v_named tasker_core.steps[] := '{}';     -- what plans created or found
  v_expanded bigint[] := '{}';             -- per plan its task, and how many steps it created
  v_created integer[] := '{}';
  v_decremented bigint[];   -- children to decrement, ascending
  v_decrements integer[];
  v_woken bigint[];         -- due retries that are still waiting
  v_task_ids bigint[];
  v_tasks tasker_core.tasks[];
  v_open bigint[];          -- tasks that may send steps after this batch's failures, ascending
  v_ready bigint[];
  v_ready_retries bigint[];
  v_enqueued_tasks bigint[];
  v_d_total integer[];      -- changes of the counters, aligned with v_task_ids
  v_d_complete integer[];
  v_d_error integer[];
  v_d_pipeline integer[];
  v_d_retrying integer[];
  v_next tasker_core.task_state[];
begin
  v_woken := array(
    select s.step_id from unnest(p_steps) s
    where s.state = 'waiting_for_retry' and s.step_id = any(p_due) order by s.step_id);
  v_tolerated := array(
    select s.step_id from unnest(p_steps) s
    where s.failure_tolerated and p_failed[width_bucket(s.step_id, p_failed)] = s.step_id order by s.step_id);
  v_satisfying := array(select x from unnest(p_completed || v_tolerated) x order by x);
  select coalesce(array_agg(x.child_id order by x.child_id), '{}'), array_agg(x.n order by x.child_id)
  into v_decremented, v_decrements
  from (
    select p_children[i] as child_id, count(*)::integer as n
    from generate_subscripts(p_children, 1) i
    where v_satisfying[width_bucket(p_parents[i], v_satisfying)] = p_parents[i]
    group by p_children[i]
  ) x;

  v_task_ids := array(
    select distinct x >> 20 from unnest(p_completed || p_retrying || p_failed || v_woken) x order by 1);
  select array_agg(x.t) into v_tasks
  from (select t from tasker_core.tasks t where t.task_id = any(v_task_ids) order by t.task_id for update) x;

  -- change: reporting steps ------------------------------------------------------------------------------------
  if cardinality(p_completed) > 0 then
    update tasker_core.steps s set state = 'complete', processed_at = p_now, leased_until = null, message_id = null,
      updated_at = p_now
    where s.step_id = any(p_completed);
  end if;
  if cardinality(p_retrying) > 0 then
    update tasker_core.steps s set state = 'waiting_for_retry', leased_until = null, message_id = null,
      backoff_seconds = ceil(p_retry_ms[width_bucket(s.step_id, p_retrying)] / 1000.0)::integer, updated_at = p_now
    where s.step_id = any(p_retrying);
    insert into tasker_core.step_timers (step_id, due_at, kind)
    select p_retrying[i], p_now + make_interval(secs => p_retry_ms[i] / 1000.0), 'retry'
    from generate_subscripts(p_retrying, 1) i
    on conflict (step_id) do update set due_at = excluded.due_at, kind = excluded.kind;
  end if;
  if cardinality(p_failed) > 0 then
    update tasker_core.steps s set state = 'error', leased_until = null, message_id = null, updated_at = p_now
    where s.step_id = any(p_failed);
  end if;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x.step_id, p_now, x.move::tasker_core.step_move, p_worker_id
  from (
    select c, case when p_split then 'settle_success' else 'succeed' end from unnest(p_completed) c
    union all select r, case when p_split then 'settle_retry' else 'retry_later' end from unnest(p_retrying) r
    union all select f, case when p_split then 'settle_error' else 'fail' end from unnest(p_failed) f
  ) x(step_id, move);

  -- change: what became ready. Children of a blocked or finished task stay pending with nothing pending -----------
  v_open := array(
    select t.task_id from unnest(v_tasks) t
    where t.n_error = 0
      and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures')
      and not exists (select from unnest(p_failed) f where f >> 20 = t.task_id and not f = any(v_tolerated))
    order by t.task_id);
  if cardinality(v_decremented) > 0 then
    v_ready := array(
      select s.step_id from (select u.*, width_bucket(u.step_id, v_decremented) as i from unnest(p_steps) u) s
      where s.i > 0 and v_decremented[s.i] = s.step_id and s.state = 'pending'
        and s.pending_dependencies = v_decrements[s.i]
        and v_open[width_bucket(s.step_id >> 20, v_open)] = s.step_id >> 20
      order by s.step_id);
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies - v_decrements[width_bucket(s.step_id, v_decremented)],
      updated_at = p_now
    where s.step_id = any(v_decremented) and s.state = 'pending';
  end if;
  if p_plans is not null then
    select e.steps, e.task_ids, e.created into v_named, v_expanded, v_created
    from tasker_core._expand_plans(p_plans, p_completed, p_now) e;
    -- The rows as they are now replace what was read before.
    p_steps := array(select s from unnest(p_steps) s
      where not exists (select from unnest(v_named) n where n.step_id = s.step_id)) || v_named;
    v_ready := array(
      select x from unnest(v_ready) x where not exists (select from unnest(v_named) n where n.step_id = x)
      union
      select n.step_id from unnest(v_named) n
      where n.state = 'pending' and n.pending_dependencies = 0
        and v_open[width_bucket(n.step_id >> 20, v_open)] = n.step_id >> 20
      order by 1);
  end if;
  v_ready_retries := array(
    select w from unnest(v_woken) w where v_open[width_bucket(w >> 20, v_open)] = w >> 20 order by w);
  if cardinality(p_due) > 0 then
    -- A blocked task's timers do not fire; a manual action re-evaluates its steps.
    delete from tasker_core.step_timers t where t.step_id = any(p_due);
  end if;
  if cardinality(v_ready) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready, p_steps, false, p_worker_id, p_callables, p_pools, p_free, p_waiting_class, p_lease, p_now) x;
  end if;
  if cardinality(v_ready_retries) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready_retries, p_steps, true, p_worker_id, p_callables, p_pools,
      tasker_core._free_after(p_free, p_callables, p_pools, array(
        select s.callable_id from unnest(p_steps) s where v_ready[width_bucket(s.step_id, v_ready)] = s.step_id)),
      p_waiting_class, p_lease, p_now) x;
  end if;

  -- change: tasks -----------------------------------------------------------------------------------------------
  v_enqueued_tasks := array(
    select distinct x >> 20 from unnest(coalesce(v_ready, '{}') || v_ready_retries) x order by 1);
  select array_agg(x.total order by x.task_id), array_agg(x.complete order by x.task_id),
    array_agg(x.failed order by x.task_id), array_agg(x.pipeline order by x.task_id),
    array_agg(x.retrying order by x.task_id)
  into v_d_total, v_d_complete, v_d_error, v_d_pipeline, v_d_retrying
  from (
    select d.task_id, sum(d.total)::integer as total, sum(d.complete)::integer as complete,
      sum(d.failed)::integer as failed, sum(d.pipeline)::integer as pipeline, sum(d.retrying)::integer as retrying
    from (
      select t as task_id, 0 as total, 0 as complete, 0 as failed, 0 as pipeline, 0 as retrying
      from unnest(v_task_ids) t
      union all select e.task_id, e.created, 0, 0, 0, 0 from unnest(v_expanded, v_created) e(task_id, created)
      union all select c >> 20, 0, 1, 0, -1, 0 from unnest(p_completed) c
      union all select f >> 20, 0, 0, 1, -1, 0 from unnest(p_failed) f
      -- A tolerated failure counts as done, not as an error.
      union all select f >> 20, 0, 1, -1, 0, 0 from unnest(v_tolerated) f
      union all select r >> 20, 0, 0, 0, -1, 1 from unnest(p_retrying) r
      union all select x >> 20, 0, 0, 0, 1, 0 from unnest(v_ready) x
      union all select w >> 20, 0, 0, 0, 1, -1 from unnest(v_ready_retries) w
    ) d
    group by d.task_id
  ) x;
  select array_agg(tasker_core._next_task_state(t.state, t.n_total + v_d_total[t.i],
      t.n_complete + v_d_complete[t.i], t.n_cancelled,
      t.n_error + v_d_error[t.i], t.n_pipeline + v_d_pipeline[t.i],
      coalesce(v_enqueued_tasks[width_bucket(t.task_id, v_enqueued_tasks)] = t.task_id, false)) order by t.task_id)
  into v_next
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t;

  update tasker_core.tasks t set
    n_total = t.n_total + v_d_total[width_bucket(t.task_id, v_task_ids)],
    n_complete = t.n_complete + v_d_complete[width_bucket(t.task_id, v_task_ids)],
    n_error = t.n_error + v_d_error[width_bucket(t.task_id, v_task_ids)],
    n_pipeline = t.n_pipeline + v_d_pipeline[width_bucket(t.task_id, v_task_ids)],
    n_waiting_retry = t.n_waiting_retry + v_d_retrying[width_bucket(t.task_id, v_task_ids)],
    state = v_next[width_bucket(t.task_id, v_task_ids)],
    -- As logged below: another round ends with entering steps_in_process again.
    state_since = case
      when t.state = v_next[width_bucket(t.task_id, v_task_ids)] and t.state <> 'steps_in_process' then t.state_since
      else p_now
    end,
    completed_at = case when v_next[width_bucket(t.task_id, v_task_ids)] = 'complete' then p_now end
  where t.task_id = any(v_task_ids);

  -- Back in steps_in_process after another round is a move; staying where it was is not.
  insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
  select t.task_id, p_now, t.state, v_next[t.i], p_worker_id
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where t.state <> v_next[t.i] or t.state = 'steps_in_process';

  if cardinality(p_failed) > 0 then
    perform tasker_core._on_final_failures(p_worker_id, p_failed, p_steps, p_now);
  end if;

  return query
  select 'task', null::bigint, t.task_id, null::bigint, null::integer, null::integer, null::integer,
    null::boolean, v_next[t.i]::text, null::timestamptz, null::integer, null::timestamptz, null::bigint
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where v_next[t.i] in ('complete', 'blocked_by_failures', 'error') and t.state <> v_next[t.i];

  if p_timer_limit > 0 or cardinality(p_retrying) > 0 then
    return query select x.* from tasker_core._next_timer(p_now) x;
  end if;
end $$;
