-- purpose: one turn of a fused host, in one commit: accept the results of a batch of steps, settle them, resolve
--          dependencies, wake due retries, send what became ready (DATABASE section 3), and bring the tasks to rest.
-- p_step_ids ascending and unique; p_verdicts 0 success, 1 retryable failure, 2 permanent failure; p_hint_ms a
--          server's wish for the delay or null; bodies as in _body; p_plans as in _expand_plans, null when there are none.
-- p_event_*: domain events of the results, see _publish_events; null when there are none.
-- rows:    verdict per result, claim / queued of _send_steps, task per task that came to rest, timer.
-- locks:   due timers (skipping held ones), all steps that are touched in ascending order, their tasks in ascending
--          order; messages are only ever taken with skip locked.
create function tasker_core.tick(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_verdicts integer[], p_execution_ms integer[],
  p_hint_ms integer[], p_bodies bytea, p_ends integer[],
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval, p_timer_limit integer,
  p_plans json, p_event_steps bigint[] default null, p_event_queues text[] default null, p_events text[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_parents bigint[] := '{}';
  v_children bigint[] := '{}';
  v_late boolean := false;
  v_due bigint[] := '{}';
  v_siblings bigint[] := '{}';  -- that a failure among the results may end
  v_touched bigint[];
  v_steps tasker_core.steps[];
  v_accepted bigint[];
  v_completed bigint[];
  v_retrying bigint[];
  v_retry_ms integer[];
  v_failed bigint[];
begin
  -- guard: what could be touched
  if cardinality(p_step_ids) > 0 then
    select c.parents, c.children, c.late into v_parents, v_children, v_late
    from tasker_core._children_of(p_step_ids) c;
  end if;
  if 1 = any(p_verdicts) or 2 = any(p_verdicts) then
    v_siblings := tasker_core._siblings_to_stop(
      array(select p_step_ids[i] from generate_subscripts(p_step_ids, 1) i where p_verdicts[i] > 0),
      array(select p_step_ids[i] from generate_subscripts(p_step_ids, 1) i where p_verdicts[i] = 2));
  end if;
  if p_timer_limit > 0 then
    v_due := array(
      select t.step_id from tasker_core.step_timers t where t.due_at <= v_now
      order by t.due_at limit p_timer_limit for update skip locked);
  end if;
  v_touched := array(select distinct x from unnest(
      p_step_ids || v_children || v_siblings || v_due || tasker_core._planned_step_ids(p_plans)) x
    order by x);
  if cardinality(v_touched) = 0 then
    return query select x.* from tasker_core._next_timer(v_now) x where p_timer_limit > 0;
    return;
  end if;

  -- lock
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(v_touched) order by s.step_id for update) x;
  if v_late then
    select l.parents, l.children, l.steps into v_parents, v_children, v_steps
    from tasker_core._late_children(p_step_ids, v_steps) l;
  end if;

  -- accept
  select x.accepted, x.completed, x.retrying, x.retry_ms, x.failed
  into v_accepted, v_completed, v_retrying, v_retry_ms, v_failed
  from tasker_core._accept_results(p_worker_id, v_steps, p_step_ids, p_tokens, p_verdicts, p_execution_ms, p_hint_ms,
    p_bodies, p_ends, v_now) x;
  return query select x.* from tasker_core._verdicts(v_steps, v_accepted, p_step_ids, p_tokens) x;
  if p_events is not null then
    return query select x.* from tasker_core._publish_events(v_accepted, p_event_steps, p_event_queues, p_events) x;
  end if;

  -- settle
  return query select x.* from tasker_core._settle_steps(p_worker_id, v_steps, v_completed, v_retrying, v_retry_ms,
    v_failed, v_parents, v_children, v_due, p_plans, false, p_callables, p_pools, p_free,
    p_waiting_class, p_lease, p_timer_limit, v_now) x;
end $$;
