-- purpose: a step that should be found in a queue, but has no message there, gets one again: somebody purged the queue, or
--          restored it from elsewhere. Off the hot path. Looks at the steps of up to p_limit tasks behind the task p_after:
--          those that wait for a worker (enqueued, or in progress with an expired lease), and those whose stored result
--          waits for an orchestrator.
-- returns: how many tasks it looked at, how many steps and results it repaired, and where to go on: 0 when there is nothing
--          behind.
-- locks:   steps ascending, skipping held ones: whoever holds one is about to move it. Messages are new rows.
create function tasker_core.reconcile_messages(
  p_limit integer default 1000, p_after bigint default 0,
  out looked_at integer, out repaired integer, out results_repaired integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[];
  v_seen tasker_core.steps[];
  v_ids bigint[];
  v_steps tasker_core.steps[];
  v_queue_id integer;
  v_lost bigint[];
  v_messages bigint[];
begin
  v_task_ids := array(
    select t.task_id from tasker_core.tasks t
    where t.task_id > p_after and t.n_pipeline > 0 order by t.task_id limit p_limit);
  looked_at := cardinality(v_task_ids);
  next_after := case when looked_at = p_limit then v_task_ids[looked_at] else 0 end;
  repaired := 0;
  results_repaired := 0;
  select coalesce(array_agg(x.s), '{}') into v_seen
  from unnest(v_task_ids) i(task_id), lateral (
    select s from tasker_core.steps s
    where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20
      and tasker_core._needs_message(s, v_now)
    offset 0  -- one range of the primary key per task, whatever the planner believes
  ) x;
  v_ids := tasker_core._without_message(v_seen);
  if cardinality(v_ids) = 0 then return; end if;

  -- What was seen is old by now: only rows that are held, and messages looked for afterwards, count.
  select coalesce(array_agg(x.s), '{}') into v_steps
  from (
    select s from tasker_core.steps s
    where s.step_id = any(v_ids) and tasker_core._needs_message(s, v_now)
    order by s.step_id for update skip locked
  ) x;
  v_ids := tasker_core._without_message(v_steps);

  for v_queue_id, v_lost in
    select s.queue_id, array_agg(s.step_id order by s.step_id) from unnest(v_steps) s
    where s.step_id = any(v_ids) and s.state in ('enqueued', 'in_progress') group by s.queue_id
  loop
    execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
    using v_lost,
      array(select (select r.task_uuid from tasker_core.task_requests r where r.task_id = x >> 20) from unnest(v_lost) x),
      array(select (select r.correlation_id from tasker_core.task_requests r where r.task_id = x >> 20)
        from unnest(v_lost) x),
      array(select s.callable_id from unnest(v_steps) s where s.step_id = any(v_lost) order by s.step_id), v_now;
    update tasker_core.steps s set message_id = v_messages[width_bucket(s.step_id, v_lost)]
    where s.step_id = any(v_lost);
    repaired := repaired + cardinality(v_lost);
  end loop;

  v_lost := array(
    select s.step_id from unnest(v_steps) s
    where s.step_id = any(v_ids) and s.state not in ('enqueued', 'in_progress') order by 1);
  if cardinality(v_lost) > 0 then
    perform tasker_core._send_results(v_lost, v_now);
    results_repaired := cardinality(v_lost);
  end if;
end $$;

create function tasker_core._needs_message(p_step tasker_core.steps, p_now timestamptz) returns boolean
language sql immutable parallel safe
as $$
  select p_step.state in ('enqueued', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')
    or (p_step.state = 'in_progress' and p_step.leased_until <= p_now)
$$;

-- Which of the steps have no message where their state says that one is.
create function tasker_core._without_message(p_steps tasker_core.steps[]) returns bigint[]
language plpgsql stable set search_path to '' as $$
declare
  v_result bigint[] := '{}';
  v_submitted bigint[];
  v_queue_id integer;
  v_messages bigint[];
  v_missing bigint[];
begin
  for v_queue_id, v_messages in
    select s.queue_id, array_agg(s.message_id) from unnest(p_steps) s
    where s.state in ('enqueued', 'in_progress') group by s.queue_id
  loop
    execute format('select tasker_core._queue_%s_missing($1)', v_queue_id) into v_missing using v_messages;
    v_result := v_result || array(
      select s.step_id from unnest(p_steps) s
      where s.queue_id = v_queue_id and s.state in ('enqueued', 'in_progress')
        and (s.message_id is null or s.message_id = any(v_missing)));
  end loop;
  -- A result's message has no number on its step: one pass over the queue, which is short unless nobody serves it.
  v_submitted := array(
    select s.step_id from unnest(p_steps) s
    where s.state in ('enqueued_for_orchestration', 'enqueued_as_error_for_orchestration'));
  if cardinality(v_submitted) > 0 then
    v_result := v_result || array(
      select x from unnest(v_submitted) x
      except select tasker_core.step_id_in(q.message) from pgmq.q_orchestration_step_results q);
  end if;
  return v_result;
end $$;
