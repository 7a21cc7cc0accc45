-- purpose: one turn of a fused host, in one commit: accept the results of a batch of steps, settle them, resolve
--          dependencies, wake due retries, send what became ready (DATABASE section 3), and bring the tasks to rest.
-- p_step_ids ascending and unique; p_verdicts 0 success, 1 retryable failure, 2 permanent failure; p_hint_ms a
--          server's wish for the delay or null; bodies as in _body.
-- rows:    verdict per result, claim / queued of _send_steps, task per task that came to rest, timer.
-- locks:   due timers (skipping held ones), all steps that are touched in ascending order, their tasks in ascending
--          order; messages are only ever taken with skip locked.
create function tasker_core.tick(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_verdicts integer[], p_execution_ms integer[],
  p_hint_ms integer[], p_bodies bytea, p_ends integer[],
  p_callables integer[], p_pools integer[], p_free integer[], p_lease interval, p_timer_limit integer
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_keys bigint[];          -- template_step_id per p_step_ids, read without a lock: it never changes
  v_parents bigint[];       -- one entry per (reporting step, child)
  v_children bigint[];
  v_due bigint[] := '{}';
  v_touched bigint[];
  v_steps tasker_core.steps[];
  v_accepted bigint[];
  v_completed bigint[];
  v_retrying bigint[];
  v_retry_due timestamptz[];
  v_retry_seconds integer[];
  v_failed bigint[];
  v_decremented bigint[];   -- children to decrement, ascending
  v_decrements integer[];
  v_woken bigint[];         -- due retries that are still waiting
  v_task_ids bigint[];
  v_tasks tasker_core.tasks[];
  v_open bigint[];          -- tasks that may send steps after this batch's failures, ascending
  v_ready bigint[];
  v_ready_retries bigint[];
  v_enqueued_tasks bigint[];
  v_d_complete integer[];   -- changes of the counters, aligned with v_task_ids
  v_d_error integer[];
  v_d_pipeline integer[];
  v_d_retrying integer[];
  v_next tasker_core.task_state[];
  v_messages bigint[];
  v_namespace_id integer;
begin
  -- guard: what could be touched --------------------------------------------------------------------------------
  if cardinality(p_step_ids) > 0 then
    select array_agg(s.template_step_id order by s.step_id), array_agg(s.step_id order by s.step_id)
    into v_keys, v_touched
    from tasker_core.steps s where s.step_id = any(p_step_ids);
    select array_agg(x.step_id), array_agg(x.child_id) into v_parents, v_children
    from (
      select s.step_id, (s.step_id & ~1048575::bigint) | c as child_id
      from (
        select v_touched[i] as step_id,
          (select ts.children from tasker_core.template_steps ts where ts.template_step_id = v_keys[i]) as children
        from generate_subscripts(v_touched, 1) i
      ) s, unnest(s.children) c
    ) x;
  end if;
  if p_timer_limit > 0 then
    v_due := array(
      select t.step_id from tasker_core.step_timers t where t.due_at <= v_now
      order by t.due_at limit p_timer_limit for update skip locked);
  end if;
  v_touched := array(
    select distinct x from unnest(coalesce(v_touched, '{}') || coalesce(v_children, '{}') || v_due) x order by x);
  if cardinality(v_touched) = 0 then
    return query select x.* from tasker_core._next_timer(v_now) x where p_timer_limit > 0;
    return;
  end if;

  -- lock: steps, then tasks, both ascending ---------------------------------------------------------------------
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(v_touched) order by s.step_id for update) x;

  select coalesce(array_agg(x.step_id order by x.step_id), '{}'),
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 0), '{}'),
    array_agg(x.step_id order by x.step_id) filter (where x.retry),
    array_agg(x.delay_ms order by x.step_id) filter (where x.retry),
    array_agg(v_now + make_interval(secs => x.delay_ms / 1000.0) order by x.step_id) filter (where x.retry),
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict > 0 and not x.retry), '{}')
  into v_accepted, v_completed, v_retrying, v_retry_seconds, v_retry_due, v_failed
  from (
    select s.step_id, p_verdicts[s.i] as verdict,
      p_verdicts[s.i] = 1 and s.retryable and s.attempts < s.max_attempts as retry,
      case when p_verdicts[s.i] = 1 then tasker_core._retry_delay_ms(s.template_step_id, s.attempts, p_hint_ms[s.i]) end
        as delay_ms
    from (select u.*, width_bucket(u.step_id, p_step_ids) as i from unnest(v_steps) u) s
    where s.i > 0 and p_step_ids[s.i] = s.step_id and s.lease_token = p_tokens[s.i] and s.state = 'in_progress'
  ) x;

  return query
  select 'verdict', p_step_ids[i], null::bigint, null::bigint, p_tokens[i], null::integer, null::integer,
    null::boolean,
    case
      when v_accepted[width_bucket(p_step_ids[i], v_accepted)] = p_step_ids[i] then 'committed'
      -- The same token again, after the step moved on: the reply to the first was lost.
      when exists (select from unnest(v_steps) s where s.step_id = p_step_ids[i]
        and s.lease_token = p_tokens[i] and s.state <> 'in_progress') then 'committed'
      else 'stale'
    end,
    null::timestamptz, null::integer, null::timestamptz, null::bigint
  from generate_subscripts(p_step_ids, 1) i;

  v_woken := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'waiting_for_retry' and s.step_id = any(v_due) order by s.step_id);
  select coalesce(array_agg(x.child_id order by x.child_id), '{}'), array_agg(x.n order by x.child_id)
  into v_decremented, v_decrements
  from (
    select v_children[i] as child_id, count(*)::integer as n
    from generate_subscripts(v_children, 1) i
    where v_completed[width_bucket(v_parents[i], v_completed)] = v_parents[i]
    group by v_children[i]
  ) x;

  v_task_ids := array(select distinct x >> 20 from unnest(v_accepted || v_woken) x order by 1);
  select array_agg(x.t) into v_tasks
  from (select t from tasker_core.tasks t where t.task_id = any(v_task_ids) order by t.task_id for update) x;

  -- change: results and reporting steps -------------------------------------------------------------------------
  if cardinality(v_accepted) > 0 then
    insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, execution_ms, body)
    select p_step_ids[i], p_tokens[i], v_now, p_worker_id, p_verdicts[i] = 0, p_execution_ms[i],
      tasker_core._body(p_bodies, p_ends, i)
    from generate_subscripts(p_step_ids, 1) i
    where v_accepted[width_bucket(p_step_ids[i], v_accepted)] = p_step_ids[i];

    for v_namespace_id, v_messages in
      select s.namespace_id, array_agg(s.message_id) from unnest(v_steps) s
      where v_accepted[width_bucket(s.step_id, v_accepted)] = s.step_id and s.message_id is not null
      group by s.namespace_id
    loop
      execute format('select tasker_core._queue_%s_delete($1)', v_namespace_id) using v_messages;
    end loop;
  end if;
  if cardinality(v_completed) > 0 then
    update tasker_core.steps s set state = 'complete', processed_at = v_now, leased_until = null, message_id = null,
      updated_at = v_now
    where s.step_id = any(v_completed);
  end if;
  if v_retrying is not null then
    update tasker_core.steps s set state = 'waiting_for_retry', leased_until = null, message_id = null,
      backoff_seconds = ceil(v_retry_seconds[width_bucket(s.step_id, v_retrying)] / 1000.0)::integer, updated_at = v_now
    where s.step_id = any(v_retrying);
    insert into tasker_core.step_timers (step_id, due_at, kind)
    select v_retrying[i], v_retry_due[i], 'retry' from generate_subscripts(v_retrying, 1) i
    on conflict (step_id) do update set due_at = excluded.due_at, kind = excluded.kind;
  end if;
  if cardinality(v_failed) > 0 then
    update tasker_core.steps s set state = 'error', leased_until = null, message_id = null, updated_at = v_now
    where s.step_id = any(v_failed);
  end if;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x.step_id, v_now, x.move::tasker_core.step_move, p_worker_id
  from (
    select c, 'succeed' from unnest(v_completed) c
    union all select r, 'retry_later' from unnest(v_retrying) r
    union all select f, 'fail' from unnest(v_failed) f
  ) x(step_id, move);

  -- change: what became ready. Children of a blocked or finished task stay pending with nothing pending -----------
  v_open := array(
    select t.task_id from unnest(v_tasks) t
    where t.n_error = 0
      and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures')
      and not exists (select from unnest(v_failed) f where f >> 20 = t.task_id)
    order by t.task_id);
  if cardinality(v_decremented) > 0 then
    v_ready := array(
      select s.step_id from (select u.*, width_bucket(u.step_id, v_decremented) as i from unnest(v_steps) u) s
      where s.i > 0 and v_decremented[s.i] = s.step_id and s.state = 'pending'
        and s.pending_dependencies = v_decrements[s.i]
        and v_open[width_bucket(s.step_id >> 20, v_open)] = s.step_id >> 20
      order by s.step_id);
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies - v_decrements[width_bucket(s.step_id, v_decremented)],
      updated_at = v_now
    where s.step_id = any(v_decremented) and s.state = 'pending';
  end if;
  v_ready_retries := array(
    select w from unnest(v_woken) w where v_open[width_bucket(w >> 20, v_open)] = w >> 20 order by w);
  if cardinality(v_due) > 0 then
    -- A blocked task's timers do not fire; a manual action re-evaluates its steps.
    delete from tasker_core.step_timers t where t.step_id = any(v_due);
  end if;
  if cardinality(v_ready) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready, v_steps, false, p_worker_id, p_callables, p_pools, p_free, p_lease, v_now) x;
  end if;
  if cardinality(v_ready_retries) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready_retries, v_steps, true, p_worker_id, p_callables, p_pools, p_free, p_lease, v_now) x;
  end if;

  -- change: tasks -----------------------------------------------------------------------------------------------
  v_enqueued_tasks := array(
    select distinct x >> 20 from unnest(coalesce(v_ready, '{}') || v_ready_retries) x order by 1);
  select array_agg(x.complete order by x.task_id), array_agg(x.failed order by x.task_id),
    array_agg(x.pipeline order by x.task_id), array_agg(x.retrying order by x.task_id)
  into v_d_complete, v_d_error, v_d_pipeline, v_d_retrying
  from (
    select d.task_id, sum(d.complete)::integer as complete, sum(d.failed)::integer as failed,
      sum(d.pipeline)::integer as pipeline, sum(d.retrying)::integer as retrying
    from (
      select t as task_id, 0 as complete, 0 as failed, 0 as pipeline, 0 as retrying from unnest(v_task_ids) t
      union all select c >> 20, 1, 0, -1, 0 from unnest(v_completed) c
      union all select f >> 20, 0, 1, -1, 0 from unnest(v_failed) f
      union all select r >> 20, 0, 0, -1, 1 from unnest(v_retrying) r
      union all select x >> 20, 0, 0, 1, 0 from unnest(v_ready) x
      union all select w >> 20, 0, 0, 1, -1 from unnest(v_ready_retries) w
    ) d
    group by d.task_id
  ) x;
  select array_agg(tasker_core._next_task_state(t.state, t.n_total, t.n_complete + v_d_complete[t.i], t.n_cancelled,
      t.n_error + v_d_error[t.i], t.n_pipeline + v_d_pipeline[t.i],
      coalesce(v_enqueued_tasks[width_bucket(t.task_id, v_enqueued_tasks)] = t.task_id, false)) order by t.task_id)
  into v_next
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t;

  update tasker_core.tasks t set
    n_complete = t.n_complete + v_d_complete[width_bucket(t.task_id, v_task_ids)],
    n_error = t.n_error + v_d_error[width_bucket(t.task_id, v_task_ids)],
    n_pipeline = t.n_pipeline + v_d_pipeline[width_bucket(t.task_id, v_task_ids)],
    n_waiting_retry = t.n_waiting_retry + v_d_retrying[width_bucket(t.task_id, v_task_ids)],
    state = v_next[width_bucket(t.task_id, v_task_ids)],
    state_since = case when t.state = v_next[width_bucket(t.task_id, v_task_ids)] then t.state_since else v_now end,
    completed_at = case when v_next[width_bucket(t.task_id, v_task_ids)] = 'complete' then v_now end
  where t.task_id = any(v_task_ids);

  -- Back in steps_in_process after another round is a move; staying where it was is not.
  insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
  select t.task_id, v_now, t.state, v_next[t.i], p_worker_id
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where t.state <> v_next[t.i] or t.state = 'steps_in_process';

  return query
  select 'task', null::bigint, t.task_id, null::bigint, null::integer, null::integer, null::integer,
    null::boolean, v_next[t.i]::text, null::timestamptz, null::integer, null::timestamptz, null::bigint
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where v_next[t.i] in ('complete', 'blocked_by_failures', 'error') and t.state <> v_next[t.i];

  if p_timer_limit > 0 or v_retrying is not null then
    return query select x.* from tasker_core._next_timer(v_now) x;
  end if;
end $$;
