-- purpose: tells listeners of pgmq_queue_created about every new queue, whoever made it (contract/sql.md section 3).
create function tasker_core._announce_queue() returns trigger
language plpgsql set search_path to '' as $$
begin
  perform pg_notify('pgmq_queue_created', jsonb_build_object('event_type', 'queue_created',
    'queue_name', new.queue_name, 'namespace', tasker.extract_queue_namespace(new.queue_name),
    'created_at', new.created_at)::text);
  return null;
end $$;

-- Where an administrator installed PGMQ, its tables are not ours: then queues are made without the announcement.
do $$
begin
  create trigger queues_are_announced after insert on pgmq.meta
  for each row execute function tasker_core._announce_queue();
exception when insufficient_privilege then
  raise notice 'pgmq.meta belongs to somebody else: new queues are not announced on pgmq_queue_created';
end $$;
