-- purpose: makes a namespace's three queues, worker_<name>_hi_queue, worker_<name>_queue and worker_<name>_lo_queue, and the
--          function that reads them in turn.
-- generated for namespace N:
--   _namespace_N_read(limit, callables, turn)  up to `limit` visible messages as _queue_N_read finds them, shared by the
--                              classes as _class_share says; what a class has not got goes to the others in their
--                              proportion. waiting_class: the highest that had as many as it was asked for: it may have
--                              more. Null when none had.
create function tasker_core.create_namespace_queues(p_namespace_id integer, p_namespace text) returns void
language plpgsql set search_path to '' as $$
declare
  v_base integer := p_namespace_id * 4;
begin
  for v_class in 0 .. 2 loop
    perform tasker_core.create_queue(v_base + v_class, tasker_core._queue_name(p_namespace, v_base + v_class));
  end loop;
  execute format($fn$
    create or replace function tasker_core._namespace_%1$s_read(
      p_limit integer, p_callables integer[], p_turn bigint,
      out queue_ids integer[], out message_ids bigint[], out step_ids bigint[], out waiting_class integer
    ) language plpgsql set search_path to '' as $body$
    declare
      v_class integer;
      v_weights integer[] := '{1,3,6}';   -- 0 once a class has no more
      v_counts integer[] := '{0,0,0}';    -- read so far
      v_after bigint[] := '{0,0,0}';
      v_total integer := 0;
      v_shared integer := p_limit;        -- what the classes that have more share
      v_want integer;
      v_got integer;
      v_messages bigint[];
      v_steps bigint[];
    begin
      if not exists (select from %6$s) and not exists (select from %7$s) then
        -- As it mostly is; the shares need not be reckoned.
        select r.message_ids, r.step_ids into message_ids, step_ids
        from tasker_core._queue_%3$s_read(p_limit, p_callables, 0) r;
        if message_ids is not null then
          v_got := cardinality(message_ids);
          queue_ids := array_fill(%5$s + 1, array[v_got]);
          waiting_class := case when v_got = p_limit then 1 end;
        end if;
        return;
      end if;
      while v_total < p_limit and v_weights <> '{0,0,0}' loop
        -- Normal last: it is the one that is least often empty, and then gets what the others leave at once.
        foreach v_class in array '{2,0,1}'::integer[] loop
          continue when v_weights[v_class + 1] = 0;
          v_want := least(p_limit - v_total,
            tasker_core._class_share(v_class, v_shared, p_turn, v_weights) - v_counts[v_class + 1]);
          continue when v_want <= 0;
          case v_class
            when 2 then select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%2$s_read(v_want, p_callables, v_after[3]) r;
            when 1 then select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%3$s_read(v_want, p_callables, v_after[2]) r;
            else select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%4$s_read(v_want, p_callables, v_after[1]) r;
          end case;
          v_got := coalesce(cardinality(v_messages), 0);
          v_counts[v_class + 1] := v_counts[v_class + 1] + v_got;
          v_total := v_total + v_got;
          if v_got < v_want then
            v_weights[v_class + 1] := 0;
            v_shared := v_shared - v_counts[v_class + 1];
          else
            v_after[v_class + 1] := v_messages[v_got];
          end if;
          if v_got > 0 then
            queue_ids := queue_ids || array_fill(%5$s + v_class, array[v_got]);
            message_ids := message_ids || v_messages;
            step_ids := step_ids || v_steps;
          end if;
        end loop;
      end loop;
      waiting_class := case
        when v_weights[3] > 0 and v_counts[3] > 0 then 2
        when v_weights[2] > 0 and v_counts[2] > 0 then 1
        when v_weights[1] > 0 and v_counts[1] > 0 then 0
      end;
    end $body$
  $fn$, p_namespace_id, v_base + 2, v_base + 1, v_base, v_base,
    format('pgmq.%I', 'q_' || lower(tasker_core._queue_name(p_namespace, v_base + 2))),
    format('pgmq.%I', 'q_' || lower(tasker_core._queue_name(p_namespace, v_base))));
end $$;

-- Takes messages away; p_message_ids is aligned with p_queue_ids and may have nulls. locks: messages (skip locked).
create function tasker_core._delete_messages(p_queue_ids integer[], p_message_ids bigint[]) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_messages bigint[];
begin
  for v_queue_id, v_messages in
    select m.queue_id, array_agg(m.message_id) from unnest(p_queue_ids, p_message_ids) m(queue_id, message_id)
    where m.message_id is not null group by m.queue_id
  loop
    execute format('select tasker_core._queue_%s_delete($1)', v_queue_id) using v_messages;
  end loop;
end $$;

-- Makes messages visible from p_vt on; as above.
create function tasker_core._show_messages(p_queue_ids integer[], p_message_ids bigint[], p_vt timestamptz) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_messages bigint[];
begin
  for v_queue_id, v_messages in
    select m.queue_id, array_agg(m.message_id) from unnest(p_queue_ids, p_message_ids) m(queue_id, message_id)
    where m.message_id is not null group by m.queue_id
  loop
    execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_queue_id) using v_messages, p_vt;
  end loop;
end $$;
