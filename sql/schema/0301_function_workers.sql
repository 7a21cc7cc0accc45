-- purpose: registers a worker host and the callables that it can run; returns the callables' ids in the order given.
create function tasker_core.register_worker(
  p_worker_uuid uuid, p_name text, p_hostname text, p_pid integer, p_callables text[]
) returns table (worker_id integer, callable_ids integer[])
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_worker_id integer;
  v_ids integer[];
begin
  insert into tasker_core.workers as w (worker_uuid, name, hostname, pid, registered_at, last_seen_at)
  values (p_worker_uuid, p_name, p_hostname, p_pid, v_now, v_now)
  on conflict (worker_uuid) do update set last_seen_at = v_now, stopped_at = null
  returning w.worker_id into v_worker_id;

  insert into tasker_core.callables (name)
  select distinct c from unnest(p_callables) c
  where not exists (select from tasker_core.callables x where x.name = c)
  order by c
  on conflict do nothing;
  select coalesce(array_agg(x.callable_id order by c.i), '{}') into v_ids
  from unnest(p_callables) with ordinality c(name, i) join tasker_core.callables x on x.name = c.name;

  delete from tasker_core.worker_callables wc where wc.worker_id = v_worker_id and not wc.callable_id = any(v_ids);
  insert into tasker_core.worker_callables (worker_id, callable_id)
  select v_worker_id, x from (select distinct unnest(v_ids)) d(x) on conflict do nothing;
  return query select v_worker_id, v_ids;
end $$;

create function tasker_core.heartbeat_worker(p_worker_id integer) returns void
language sql set search_path to '' as $$
  update tasker_core.workers set last_seen_at = tasker.now() where worker_id = p_worker_id
$$;

-- A stopped worker serves nothing any more; its rows stay for the audit trail.
create function tasker_core.stop_worker(p_worker_id integer) returns void
language plpgsql set search_path to '' as $$
begin
  update tasker_core.workers set stopped_at = tasker.now(), last_seen_at = tasker.now()
  where worker_id = p_worker_id;
  delete from tasker_core.worker_callables where worker_id = p_worker_id;
  delete from tasker_core.idle_workers where worker_id = p_worker_id;
end $$;

-- purpose: a worker about to sleep says so, in a commit of its own, and then looks at its queues once more. Whoever
--          makes steps visible afterwards wakes it and takes the row away: the row is the coalescing, there is no timer.
create function tasker_core.mark_worker_idle(p_worker_id integer, p_namespace_ids integer[]) returns void
language sql set search_path to '' as $$
  insert into tasker_core.idle_workers (worker_id, namespace_ids) values (p_worker_id, p_namespace_ids)
  on conflict (worker_id) do update set namespace_ids = excluded.namespace_ids
$$;

-- Called after a commit, or at the end of a hot function that then reports how many it woke. A NOTIFY in a transaction holds
-- a lock over its fsync, but only somebody asleep is notified: a busy system never pays. Whoever finds nobody asleep before
-- its commit looks again after it: a host may have gone to sleep in between.
create function tasker_core.wake_idle_workers(p_caller integer, p_namespace_ids integer[]) returns integer
language plpgsql set search_path to '' as $$
declare
  v_workers integer[];
begin
  with woken as (
    delete from tasker_core.idle_workers i where i.worker_id = any(array(
      select w.worker_id from tasker_core.idle_workers w
      where w.worker_id <> p_caller and w.namespace_ids && p_namespace_ids
      order by w.worker_id for update skip locked))
    returning i.worker_id
  )
  select array_agg(worker_id) into v_workers from woken;
  perform pg_notify('tasker_wake_' || w, '') from unnest(v_workers) w;
  return coalesce(cardinality(v_workers), 0);
end $$;

-- For the end of a hot function: its row `woken`, when it woke anybody.
create function tasker_core._wake_with_commit(p_caller integer, p_namespace_ids integer[])
returns setof tasker_core.tick_row
language sql volatile set search_path to '' as $$
  select 'woken', null::bigint, null::bigint, null::bigint, null::integer, null::integer, null::integer, null::boolean,
    null::text, null::timestamptz, null::integer, null::timestamptz, w.n::bigint
  from (select tasker_core.wake_idle_workers(p_caller, p_namespace_ids) as n) w where w.n > 0
$$;
