-- purpose: single messages of a queue for outside tools, and sending with a notification (contract/sql.md section 3).
-- locks:   the message that is named, nothing else.
-- raises:  22023 for a name that no queue can have; 42P01 for a queue that does not exist.
create function tasker.extract_queue_namespace(p_queue_name text) returns text
language sql immutable parallel safe set search_path to '' as $$
  select case
    when p_queue_name ~ '^orchestration' then 'orchestration'
    else coalesce(substring(p_queue_name from '^worker_(.+)_queue$'), substring(p_queue_name from '^(.+)_queue$'), 'default')
  end
$$;

-- Characters of a message that still travels inside its notification.
create function tasker.pgmq_payload_size_threshold() returns integer
language sql immutable parallel safe as $$ select 7000 $$;

create function tasker_core._queue_table(p_queue_name text) returns text
language plpgsql stable set search_path to '' as $$
declare
  v_table text := format('pgmq.%I', 'q_' || lower(p_queue_name));
begin
  if p_queue_name is null or p_queue_name !~ '^[A-Za-z0-9_]{1,47}$' then
    raise exception 'queue name % is not 1 to 47 letters, digits or underscores', quote_nullable(p_queue_name)
      using errcode = '22023';
  end if;
  if to_regclass(v_table) is null then
    raise exception 'queue % does not exist: create it with pgmq.create', p_queue_name using errcode = '42P01';
  end if;
  return v_table;
end $$;

-- True when the column was missing: tables of old PGMQ versions have none.
create function tasker.pgmq_ensure_headers_column(p_queue_name text) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_table text := tasker_core._queue_table(p_queue_name);
begin
  if exists (select from pg_catalog.pg_attribute a
    where a.attrelid = to_regclass(v_table) and a.attname = 'headers' and not a.attisdropped)
  then
    return false;
  end if;
  execute format('alter table %s add column headers jsonb', v_table);
  return true;
end $$;

-- A row only if the message is visible; it is then hidden for p_vt_seconds.
create function tasker.pgmq_read_specific_message(p_queue_name text, p_msg_id bigint, p_vt_seconds integer default 30)
returns table (msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb)
language plpgsql set search_path to '' as $$
begin
  return query execute format(
    'update %s q set vt = tasker.now() + make_interval(secs => $2), read_ct = q.read_ct + 1
     where q.msg_id = $1 and q.vt <= tasker.now()
     returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message', tasker_core._queue_table(p_queue_name))
  using p_msg_id, p_vt_seconds;
end $$;

create function tasker.pgmq_delete_specific_message(p_queue_name text, p_msg_id bigint) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_count bigint;
begin
  execute format('delete from %s q where q.msg_id = $1', tasker_core._queue_table(p_queue_name)) using p_msg_id;
  get diagnostics v_count = row_count;
  return v_count > 0;
end $$;

create function tasker.pgmq_extend_vt_specific_message(p_queue_name text, p_msg_id bigint, p_vt_seconds integer default 30)
returns boolean
language plpgsql set search_path to '' as $$
declare
  v_count bigint;
begin
  execute format('update %s q set vt = tasker.now() + make_interval(secs => $2) where q.msg_id = $1',
    tasker_core._queue_table(p_queue_name)) using p_msg_id, p_vt_seconds;
  get diagnostics v_count = row_count;
  return v_count > 0;
end $$;

create function tasker_core._notify_queue(p_namespace text, p_payload jsonb) returns void
language plpgsql set search_path to '' as $$
begin
  perform pg_notify('pgmq_message_ready.' || p_namespace, p_payload::text);
  perform pg_notify('pgmq_message_ready', p_payload::text);
end $$;

create function tasker.pgmq_send_with_notify(p_queue_name text, p_message jsonb, p_delay_seconds integer default 0)
returns bigint
language plpgsql set search_path to '' as $$
declare
  v_namespace text := tasker.extract_queue_namespace(p_queue_name);
  v_length integer := length(p_message::text);
  v_msg_id bigint;
  v_base jsonb;
  v_whole jsonb;
begin
  perform tasker_core._queue_table(p_queue_name);
  select s.id into v_msg_id from pgmq.send(p_queue_name, p_message, p_delay_seconds) s(id);
  v_base := jsonb_build_object('msg_id', v_msg_id, 'queue_name', p_queue_name, 'namespace', v_namespace,
    'ready_at', tasker.now() + make_interval(secs => p_delay_seconds), 'delay_seconds', p_delay_seconds);
  v_whole := v_base || jsonb_build_object('event_type', 'message_with_payload', 'message', p_message);
  -- A notification holds less than 8000 bytes, and characters may be more than one: too long would fail the send.
  if v_length < tasker.pgmq_payload_size_threshold() and octet_length(v_whole::text) < 7900 then
    perform tasker_core._notify_queue(v_namespace, v_whole);
  elsif v_length > 7800 then
    perform tasker_core._notify_queue(v_namespace,
      v_base - 'delay_seconds' || '{"event_type": "message_ready", "payload_omitted": true, "truncated": true}');
  else
    perform tasker_core._notify_queue(v_namespace,
      v_base || '{"event_type": "message_ready", "payload_omitted": true}');
  end if;
  return v_msg_id;
end $$;

-- One notification for up to 200 messages, so that their ids fit.
create function tasker.pgmq_send_batch_with_notify(p_queue_name text, p_messages jsonb[], p_delay_seconds integer default 0)
returns setof bigint
language plpgsql set search_path to '' as $$
declare
  v_namespace text := tasker.extract_queue_namespace(p_queue_name);
  v_ids bigint[];
begin
  perform tasker_core._queue_table(p_queue_name);
  v_ids := array(select s.id from pgmq.send_batch(p_queue_name, p_messages, p_delay_seconds) s(id));
  for i in 1 .. cardinality(v_ids) by 200 loop
    perform tasker_core._notify_queue(v_namespace, jsonb_build_object('event_type', 'batch_ready',
      'msg_ids', v_ids[i : i + 199], 'queue_name', p_queue_name, 'namespace', v_namespace,
      'message_count', cardinality(v_ids[i : i + 199]), 'delay_seconds', p_delay_seconds,
      'ready_at', tasker.now() + make_interval(secs => p_delay_seconds)));
  end loop;
  return query select unnest(v_ids);
end $$;
