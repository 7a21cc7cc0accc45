-- purpose: a step that should be found in its queue, but has no message there, gets one again: somebody purged the
--          queue, or restored it from elsewhere. Off the hot path. Looks at the steps of up to p_limit tasks behind the
--          task p_after that are enqueued, or in progress with an expired lease.
-- returns: how many tasks it looked at, how many steps it repaired, and where to go on: 0 when there is nothing behind.
-- locks:   steps ascending, skipping held ones: whoever holds one is about to move it. Messages are new rows.
create function tasker_core.reconcile_messages(
  p_limit integer default 1000, p_after bigint default 0,
  out looked_at integer, out repaired integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[];
  v_seen tasker_core.steps[];
  v_namespace record;
  v_missing text;
  v_ids bigint[];
  v_messages bigint[];
  v_steps tasker_core.steps[];
begin
  repaired := 0;
  v_task_ids := array(
    select t.task_id from tasker_core.tasks t
    where t.task_id > p_after and t.n_pipeline > 0 order by t.task_id limit p_limit);
  looked_at := cardinality(v_task_ids);
  next_after := case when looked_at = p_limit then v_task_ids[looked_at] else 0 end;
  select coalesce(array_agg(x.s), '{}') into v_seen
  from unnest(v_task_ids) i(task_id), lateral (
    select s from tasker_core.steps s
    where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20
      and (s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now))
    offset 0  -- one range of the primary key per task, whatever the planner believes
  ) x;

  for v_namespace in
    select n.namespace_id, n.name from tasker_core.namespaces n
    where n.namespace_id in (select s.namespace_id from unnest(v_seen) s) order by 1
  loop
    v_missing := format('select array(select c.step_id from unnest($1) c
      where not exists (select from pgmq.%I q where q.msg_id = c.message_id) order by 1)',
      'q_worker_' || lower(v_namespace.name) || '_queue');
    execute v_missing into v_ids
    using array(select s from unnest(v_seen) s where s.namespace_id = v_namespace.namespace_id);
    continue when cardinality(v_ids) = 0;

    -- What was seen is old by now: only rows that are held, and messages looked for afterwards, count.
    select coalesce(array_agg(x.s), '{}') into v_steps
    from (
      select s from tasker_core.steps s
      where s.step_id = any(v_ids)
        and (s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now))
      order by s.step_id for update skip locked
    ) x;
    execute v_missing into v_ids using v_steps;
    continue when cardinality(v_ids) = 0;
    select array_agg(s order by s.step_id) into v_steps from unnest(v_steps) s where s.step_id = any(v_ids);

    execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_namespace.namespace_id) into v_messages
    using v_ids,
      array(select (select r.task_uuid from tasker_core.task_requests r where r.task_id = x >> 20) from unnest(v_ids) x),
      array(select (select r.correlation_id from tasker_core.task_requests r where r.task_id = x >> 20) from unnest(v_ids) x),
      array(select s.callable_id from unnest(v_steps) s), v_now;
    update tasker_core.steps s set message_id = v_messages[width_bucket(s.step_id, v_ids)] where s.step_id = any(v_ids);
    repaired := repaired + cardinality(v_ids);
  end loop;
end $$;
