-- purpose: what waits in each queue: three per namespace, one per class of priority, and those of the orchestrators (namespace
--          and class null). For metrics and health; counts every message, so not for the hot path.
-- returns: depth, all messages; visible, those that nobody holds; oldest_seconds, how long the oldest visible one has
--          waited (null: none waits).
create function tasker_core.queue_depths()
returns table (
  queue_name text, namespace text, class integer, depth bigint, visible bigint, oldest_seconds double precision
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_queue record;
begin
  for v_queue in
    select tasker_core._queue_name(n.name, n.namespace_id * 4 + c.class) as name, n.name::text as namespace, c.class
    from tasker_core.namespaces n, generate_series(0, 2) c(class)
    union all
    select q, null, null from unnest(array['orchestration_step_results', 'orchestration_task_requests',
      'orchestration_task_finalizations']) q
    order by 2 nulls first, 3 desc, 1
  loop
    queue_name := v_queue.name;
    namespace := v_queue.namespace;
    class := v_queue.class;
    execute format('select count(*), count(*) filter (where q.vt <= $1),
        extract(epoch from $1 - min(q.enqueued_at) filter (where q.vt <= $1))
      from pgmq.%I q', 'q_' || lower(v_queue.name))
    into depth, visible, oldest_seconds using v_now;
    return next;
  end loop;
end $$;
