-- purpose: makes a queue of steps and its own static functions: a function that names its table literally has a cached
--          plan, a dynamic statement would be planned on every call.
-- generated for queue N (see queue_id):
--   _queue_N_send(step ids, task uuids, correlation ids, callable ids, vt) -> message ids, in the order given
--   _queue_N_read(limit, callables, after)  visible messages for these callables behind the message `after`, oldest
--                              first, locked; messages that others hold are skipped. A message without the header
--                              `callable` (sent by somebody else) is read by all
--   _queue_N_orphans(limit, callables, before)  as read, but for callables other than these, enqueued before
--   _queue_N_route(ids, callables)   gives messages their header
--   _queue_N_delete(ids)       \ both skip messages that another transaction holds: whoever holds one is about to look
--   _queue_N_set_vt(ids, vt)   / at the step row, which this transaction has locked, and will see what it says
--   _queue_N_held()            messages that are leased
--   _queue_N_missing(ids)      which of these messages there are not
-- locks: messages only. The order message -> step -> task holds because nothing here waits for a message.
create function tasker_core.create_queue(p_queue_id integer, p_queue text) returns void
language plpgsql set search_path to '' as $$
declare
  v_table text := format('pgmq.%I', 'q_' || lower(p_queue));
  v_sequence text;
  v_prefix text := 'tasker_core._queue_' || p_queue_id;
begin
  perform pgmq.create(p_queue);
  v_sequence := pg_get_serial_sequence(v_table, 'msg_id');
  execute format($fn$
    create or replace function %1$s_send(
      p_step_ids bigint[], p_task_uuids uuid[], p_correlation_ids uuid[], p_callable_ids integer[], p_vt timestamptz
    ) returns bigint[] language plpgsql set search_path to '' as $body$
    declare v_ids bigint[];
    begin
      select array_agg(nextval(%3$L::regclass)) into v_ids from generate_series(1, cardinality(p_step_ids));
      insert into %2$s (msg_id, enqueued_at, vt, message, headers) overriding system value
      select v_ids[i], tasker.now(), p_vt, jsonb_build_object(
        'task_uuid', p_task_uuids[i],
        'step_uuid', tasker_core.step_uuid(p_task_uuids[i], p_step_ids[i]),
        'correlation_id', p_correlation_ids[i]), jsonb_build_object('callable', p_callable_ids[i])
      from generate_subscripts(p_step_ids, 1) i;
      return v_ids;
    end $body$
  $fn$, v_prefix, v_table, v_sequence);
  execute format($fn$
    create or replace function %1$s_read(
      p_limit integer, p_callables integer[], p_after bigint, out message_ids bigint[], out step_ids bigint[]
    ) language plpgsql set search_path to '' as $body$
    begin
      select array_agg(x.msg_id), array_agg(tasker_core.step_id_in(x.message)) into message_ids, step_ids
      from (
        select q.msg_id, q.message
        from %2$s q
        where q.vt <= tasker.now() and q.msg_id > p_after
          and coalesce((q.headers ->> 'callable')::integer = any(p_callables), true)
        order by q.msg_id
        limit p_limit
        for update skip locked
      ) x;
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_orphans(p_limit integer, p_callables integer[], p_before timestamptz)
    returns table (msg_id bigint, step_id bigint)
    language plpgsql set search_path to '' as $body$
    begin
      return query
      select q.msg_id, tasker_core.step_id_in(q.message)
      from %2$s q
      where q.vt <= tasker.now() and q.enqueued_at <= p_before
        and not (q.headers ->> 'callable')::integer = any(p_callables)
      order by q.msg_id
      limit p_limit
      for update skip locked;
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_route(p_ids bigint[], p_callable_ids integer[]) returns void
    language plpgsql set search_path to '' as $body$
    begin
      update %2$s q set headers = coalesce(q.headers, '{}') ||
        jsonb_build_object('callable', p_callable_ids[array_position(p_ids, q.msg_id)])
      where q.msg_id = any(p_ids);
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_delete(p_ids bigint[]) returns void
    language plpgsql set search_path to '' as $body$
    begin
      delete from %2$s where msg_id = any(array(
        select q.msg_id from %2$s q where q.msg_id = any(p_ids) for update skip locked));
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_set_vt(p_ids bigint[], p_vt timestamptz) returns void
    language plpgsql set search_path to '' as $body$
    begin
      update %2$s set vt = p_vt where msg_id = any(array(
        select q.msg_id from %2$s q where q.msg_id = any(p_ids) for update skip locked));
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_held() returns table (msg_id bigint, step_id bigint)
    language plpgsql set search_path to '' as $body$
    begin
      return query
      select q.msg_id, tasker_core.step_id_in(q.message)
      from %2$s q where q.vt > tasker.now() and q.message ? 'step_uuid';
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_missing(p_ids bigint[]) returns bigint[]
    language plpgsql set search_path to '' as $body$
    begin
      return array(select i from unnest(p_ids) i where not exists (select from %2$s q where q.msg_id = i));
    end $body$
  $fn$, v_prefix, v_table);
end $$;
