-- purpose: how long the way of a step's message still is, for people who ask why it does not run. Counts messages, so not for
--          the hot path.
-- returns: one row per step that names a message: present false when there is none any more; visible_at, when it may be read;
--          ahead, readable messages before it in its own queue, and higher, those in the namespace's queues of higher priority.
create function tasker_core.queue_positions(p_step_ids bigint[])
returns table (
  step_id bigint, queue_name text, class integer, present boolean, visible_at timestamptz, ahead bigint, higher bigint
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_step record;
  v_count bigint;
begin
  for v_step in
    select s.step_id, s.queue_id, s.message_id, n.name::text as namespace
    from tasker_core.steps s join tasker_core.namespaces n on n.namespace_id = s.queue_id >> 2
    where s.step_id = any(p_step_ids) and s.message_id is not null order by s.step_id
  loop
    step_id := v_step.step_id;
    queue_name := tasker_core._queue_name(v_step.namespace, v_step.queue_id);
    class := v_step.queue_id & 3;
    execute format('select q.vt from pgmq.%I q where q.msg_id = $1', 'q_' || lower(queue_name))
    into visible_at using v_step.message_id;
    present := visible_at is not null;
    execute format('select count(*) from pgmq.%I q where q.msg_id < $1 and q.vt <= $2', 'q_' || lower(queue_name))
    into ahead using v_step.message_id, v_now;
    higher := 0;
    for v_higher in class + 1 .. 2 loop
      execute format('select count(*) from pgmq.%I q where q.vt <= $1',
        'q_' || lower(tasker_core._queue_name(v_step.namespace, (v_step.queue_id >> 2) * 4 + v_higher)))
      into v_count using v_now;
      higher := higher + v_count;
    end loop;
    return next;
  end loop;
end $$;
