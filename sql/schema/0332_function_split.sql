-- Tells the orchestrators that the results of these steps are stored.
create function tasker_core._send_results(p_step_ids bigint[], p_now timestamptz) returns void
language sql volatile set search_path to '' as $$
  insert into pgmq.q_orchestration_step_results (enqueued_at, vt, message)
  select p_now, p_now, jsonb_build_object('task_uuid', r.task_uuid,
    'step_uuid', tasker_core.step_uuid(r.task_uuid, x.step_id), 'correlation_id', r.correlation_id)
  from unnest(p_step_ids) x(step_id),
    lateral (select q.task_uuid, q.correlation_id from tasker_core.task_requests q where q.task_id = x.step_id >> 20) r
$$;

-- purpose: split mode, worker side: stores a batch of results and hands the steps to the orchestrators through the
--          queue orchestration_step_results, waking one that sleeps. Parameters as in tick; with p_idle_in the worker asks
--          to be woken for these namespaces, as mark_worker_idle does.
-- locks: steps ascending; messages are new rows or skip locked.
create function tasker_core.submit_step_results(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_verdicts integer[], p_execution_ms integer[],
  p_hint_ms integer[], p_bodies bytea, p_ends integer[], p_plans json,
  p_event_steps bigint[] default null, p_event_queues text[] default null, p_events text[] default null,
  p_idle_in integer[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_steps tasker_core.steps[];
  v_result record;
  v_failed bigint[];
begin
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  select * into v_result from tasker_core._accept_results(p_worker_id, v_steps, p_step_ids, p_tokens, p_verdicts,
    p_execution_ms, p_hint_ms, p_bodies, p_ends, v_now);
  return query select x.* from tasker_core._verdicts(v_steps, v_result.accepted, p_step_ids, p_tokens) x;
  if cardinality(v_result.accepted) = 0 then return; end if;
  if p_events is not null then
    return query select x.* from tasker_core._publish_events(v_result.accepted, p_event_steps, p_event_queues, p_events) x;
  end if;

  v_failed := array(select x from unnest(v_result.retrying || v_result.failed) x order by x);
  if p_plans is not null then
    update tasker_core.step_results r set plan = p_plans -> r.step_id::text
    where r.step_id = any(v_result.completed) and r.token = p_tokens[width_bucket(r.step_id, p_step_ids)];
  end if;
  update tasker_core.steps s set state = 'enqueued_for_orchestration', leased_until = null, message_id = null,
    updated_at = v_now
  where s.step_id = any(v_result.completed);
  update tasker_core.steps s set state = 'enqueued_as_error_for_orchestration', leased_until = null, message_id = null,
    updated_at = v_now
  where s.step_id = any(v_failed);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x.step_id, v_now, x.move::tasker_core.step_move, p_worker_id
  from (
    select c, 'submit_success' from unnest(v_result.completed) c
    union all select f, 'submit_error' from unnest(v_failed) f
  ) x(step_id, move);
  perform tasker_core._send_results(v_result.accepted, v_now);
  if p_idle_in is not null then perform tasker_core.mark_worker_idle(p_worker_id, p_idle_in); end if;
  -- Last: nothing is locked for long by the notification.
  return query select x.* from tasker_core._wake_with_commit(p_worker_id, '{0}') x;
end $$;

-- purpose: split mode, orchestrator side: drains up to p_limit messages of orchestration_step_results and settles the
--          steps they name; what becomes ready goes to the workers' queues, waking those of p_wake (namespaces) that
--          sleep. With p_idle an orchestrator that found no full page asks to be woken itself.
-- rows:    as tick, without verdicts and claims; `scanned` counts the messages.
-- locks:   messages (skip locked), due timers (skip locked), steps ascending, tasks ascending.
create function tasker_core.process_step_results(
  p_worker_id integer, p_limit integer, p_timer_limit integer, p_wake integer[] default null,
  p_idle boolean default false
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_messages bigint[];
  v_ids bigint[];
  v_parents bigint[] := '{}';
  v_children bigint[] := '{}';
  v_late boolean := false;
  v_due bigint[] := '{}';
  v_plans json;
  v_siblings bigint[] := '{}';
  v_touched bigint[];
  v_steps tasker_core.steps[];
  v_result record;
  v_row tasker_core.tick_row;
  v_queued boolean := false;
begin
  select array_agg(x.msg_id), array_agg(distinct x.step_id) filter (where x.step_id is not null) into v_messages, v_ids
  from (
    select q.msg_id, tasker_core.step_id_in(q.message) as step_id
    from pgmq.q_orchestration_step_results q
    where q.vt <= v_now order by q.msg_id limit p_limit for update skip locked
  ) x;
  if v_ids is not null then
    select c.parents, c.children, c.late into v_parents, v_children, v_late
    from tasker_core._children_of(v_ids) c;
    select json_object_agg(r.step_id, r.plan) into v_plans
    from tasker_core.step_results r where r.step_id = any(v_ids) and r.plan is not null;
    v_siblings := tasker_core._siblings_to_stop(
      array(select r.step_id from tasker_core.step_results r where r.step_id = any(v_ids) and not r.success),
      array(select r.step_id from tasker_core.step_results r
        where r.step_id = any(v_ids) and not r.success and not r.retryable));
  end if;
  if p_timer_limit > 0 then
    v_due := array(
      select t.step_id from tasker_core.step_timers t where t.due_at <= v_now
      order by t.due_at limit p_timer_limit for update skip locked);
  end if;
  v_touched := array(select distinct x from unnest(
      coalesce(v_ids, '{}') || v_children || v_siblings || v_due || tasker_core._planned_step_ids(v_plans)) x
    order by x);
  if p_idle and coalesce(cardinality(v_messages), 0) < p_limit then
    perform tasker_core.mark_worker_idle(p_worker_id, '{0}');
  end if;
  if cardinality(v_touched) = 0 then
    return query select x.* from tasker_core._next_timer(v_now) x where p_timer_limit > 0;
    return;
  end if;

  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(v_touched) order by s.step_id for update) x;
  if v_late then
    select l.parents, l.children, l.steps into v_parents, v_children, v_steps
    from tasker_core._late_children(v_ids, v_steps) l;
  end if;
  -- The step row decides; a message for a step that was settled before changes nothing.
  select
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.success), '{}') as completed,
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.retry), '{}') as retrying,
    coalesce(array_agg(case when x.retry then
      tasker_core._retry_delay_ms(x.template_step_id, x.attempts, x.hint_ms) end order by x.step_id)
      filter (where x.retry), '{}') as retry_ms,
    coalesce(array_agg(x.step_id order by x.step_id) filter (where not x.success and not x.retry), '{}') as failed
  into v_result
  from (
    select s.step_id, s.template_step_id, s.attempts, r.success, r.hint_ms,
      not r.success and r.retryable and s.retryable and s.attempts < s.max_attempts as retry
    from unnest(v_steps) s,
      lateral (select q.success, q.retryable, q.hint_ms from tasker_core.step_results q
        where q.step_id = s.step_id and q.token = s.lease_token) r
    where s.step_id = any(v_ids)
      and s.state in ('enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')
  ) x;
  delete from pgmq.q_orchestration_step_results q where q.msg_id = any(v_messages);

  for v_row in
    select x.* from tasker_core._settle_steps(p_worker_id, v_steps, v_result.completed, v_result.retrying,
      v_result.retry_ms, v_result.failed, v_parents, v_children, v_due, v_plans, true, '{}', '{}', '{}', 0, interval '0',
      p_timer_limit, v_now) x
  loop
    v_queued := v_queued or v_row.kind = 'queued';
    return next v_row;
  end loop;
  if v_queued and p_wake is not null then
    return query select x.* from tasker_core._wake_with_commit(p_worker_id, p_wake) x;
  end if;
  if v_messages is not null then
    return query select 'scanned', null::bigint, null::bigint, null::bigint, null::integer, null::integer,
      null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
      cardinality(v_messages)::bigint;
  end if;
end $$;
