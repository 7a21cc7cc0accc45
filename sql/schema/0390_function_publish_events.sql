-- purpose: domain events (contract/wire-types.md section 7) of accepted results, in the results' own transaction: an
--          event is in its queue exactly when its result is stored, and a repeat, which is not accepted, adds nothing.
-- p_accepted ascending; the others one entry per event. A message that the queue cannot hold (a code point that jsonb has
--          not, a queue that was dropped) is left out and reported: no event fails the step that it is about.
-- rows:    refused_event per message that was left out: step_id, status (why), number (its place in p_messages, from 1).
-- locks:   none; messages are new rows.
create function tasker_core._publish_events(
  p_accepted bigint[], p_step_ids bigint[], p_queues text[], p_messages text[]
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_places integer[] := array(
    select i from generate_subscripts(p_step_ids, 1) i
    where p_accepted[width_bucket(p_step_ids[i], p_accepted)] = p_step_ids[i] order by i);
  v_place integer;
begin
  if cardinality(v_places) = 0 then return; end if;
  begin
    perform pgmq.send_batch(x.queue, x.messages)
    from (
      select p_queues[i] as queue, array_agg(p_messages[i]::jsonb order by i) as messages
      from unnest(v_places) i group by p_queues[i]
    ) x;
    return;
  exception when others then
    -- One of them: each by itself finds out which.
    null;
  end;
  foreach v_place in array v_places loop
    begin
      perform pgmq.send(p_queues[v_place], p_messages[v_place]::jsonb);
    exception when others then
      return query select 'refused_event', p_step_ids[v_place], null::bigint, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, sqlerrm, null::timestamptz, null::integer, null::timestamptz, v_place::bigint;
    end;
  end loop;
end $$;

-- purpose: the queue `<namespace>_domain_events`, made when a template that publishes durable events is registered.
-- locks:   an advisory lock per namespace while the queue is made.
create function tasker_core.create_domain_event_queue(p_namespace text) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue text := p_namespace || '_domain_events';
begin
  perform pg_advisory_xact_lock(hashtextextended('tasker.domain_events.' || p_namespace, 0));
  if not exists (select from pgmq.meta m where m.queue_name = v_queue) then
    perform pgmq.create(v_queue);
  end if;
end $$;
