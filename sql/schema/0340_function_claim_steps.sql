-- purpose: leases steps to a worker whose messages it has just read. p_steps: their rows, locked by the caller;
--          p_queue_ids and p_message_ids are aligned with p_ids (ascending). p_kind names the rows that come back. From
--          here on the step belongs to the queue in which its message was found.
-- locks: none of its own but messages (skip locked).
create function tasker_core._lease_steps(
  p_worker_id integer, p_queue_ids integer[], p_ids bigint[], p_message_ids bigint[], p_steps tasker_core.steps[],
  p_taken bigint[], p_kind text, p_max_deaths integer, p_until timestamptz, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
begin
  if cardinality(p_taken) = 0 then return; end if;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select s.step_id, p_now, case s.state when 'enqueued' then 'claim' else 'redeliver' end::tasker_core.step_move,
    p_worker_id
  from unnest(p_steps) s
  where p_taken[width_bucket(s.step_id, p_taken)] = s.step_id;
  return query
  update tasker_core.steps s set
    state = 'in_progress', lease_token = s.lease_token + 1,
    -- A lost delivery consumes no attempt: a released step has its attempt back, an expired one keeps it.
    attempts = s.attempts + case when s.state = 'in_progress' and s.worker_id is not null then 0 else 1 end,
    deaths = s.deaths + case when s.state = 'in_progress' and s.worker_id is not null then 1 else 0 end,
    solo = s.solo or (s.state = 'in_progress' and s.worker_id is not null),
    worker_id = p_worker_id, leased_until = p_until, queue_id = p_queue_ids[width_bucket(s.step_id, p_ids)],
    message_id = p_message_ids[width_bucket(s.step_id, p_ids)],
    previous_attempt_at = s.last_attempted_at, last_attempted_at = p_now, updated_at = p_now
  where s.step_id = any(p_taken)
  returning case when s.deaths >= p_max_deaths then 'poisoned' else p_kind end,
    s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer, s.solo,
    null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at,
        (select t.data_epoch::bigint from tasker_core.tasks t where t.task_id = s.step_id >> 20);
  perform tasker_core._show_messages(array_agg(p_queue_ids[width_bucket(x, p_ids)]),
    array_agg(p_message_ids[width_bucket(x, p_ids)]), p_until)
  from unnest(p_taken) x;
end $$;

-- purpose: takes steps out of the queues of the given namespaces for one worker: up to p_free[pool] per pool, only
--          callables it can run and has room for. Priority classes take turns (_class_share); within a class the oldest
--          message goes first. p_turn: how many steps the worker has claimed before, so that the turns go on where they
--          ended. Takes over expired leases (a death each) and released ones.
-- rows:    claim, poisoned; `scanned` says how many messages it saw, so that the caller knows whether to come back, and in
--          `attempts` the highest class that may have more waiting (null: none).
-- locks: messages (skip locked), then steps ascending.
create function tasker_core.claim_steps(
  p_worker_id integer, p_namespace_ids integer[], p_limit integer, p_callables integer[], p_pools integer[],
  p_free integer[], p_turn bigint, p_lease interval, p_max_deaths integer
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_namespace_id integer;
  v_open integer[];             -- callables whose pools have room
  v_read_queues integer[];
  v_read_messages bigint[];
  v_read_steps bigint[];
  v_waiting integer;
  v_queue_ids integer[];
  v_message_ids bigint[];
  v_ids bigint[];
  v_steps tasker_core.steps[];
  v_taken bigint[];
  v_gone integer[];             -- places in v_ids
  v_missed integer[];
  v_missed_callables integer[];
  v_free integer[] := p_free;
  v_turn bigint := p_turn;
  v_before integer[];           -- claims of each class since its cycle began
  v_group record;
begin
  foreach v_namespace_id in array p_namespace_ids loop
    v_open := array(
      select p_callables[i] from generate_subscripts(p_callables, 1) i where v_free[p_pools[i]] > 0 order by 1);
    execute format('select r.* from tasker_core._namespace_%s_read($1, $2, $3) r', v_namespace_id)
    into v_read_queues, v_read_messages, v_read_steps, v_waiting using p_limit, v_open, v_turn;
    continue when v_read_messages is null;
    return query select 'scanned', null::bigint, null::bigint, null::bigint, null::integer, v_waiting,
      null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
      cardinality(v_read_messages)::bigint;

    -- Of several messages for one step one counts: in the highest queue the newest.
    select array_agg(x.step_id order by x.step_id), array_agg(x.queue_id order by x.step_id),
      array_agg(x.msg_id order by x.step_id)
    into v_ids, v_queue_ids, v_message_ids
    from (
      select distinct on (r.step_id) r.step_id, r.queue_id, r.msg_id
      from unnest(v_read_steps, v_read_queues, v_read_messages) r(step_id, queue_id, msg_id)
      where r.step_id is not null
      order by r.step_id, r.queue_id desc, r.msg_id desc
    ) x;
    if coalesce(cardinality(v_ids), 0) < cardinality(v_read_messages) then
      perform tasker_core._clear_strays(v_namespace_id, v_read_queues, v_read_messages, v_read_steps, v_ids, v_queue_ids,
        v_message_ids);
    end if;
    continue when v_ids is null;

    select array_agg(x.s) into v_steps
    from (select s from tasker_core.steps s where s.step_id = any(v_ids) order by s.step_id for update) x;

    v_before := array[0, v_turn % 10 * 4 / 10, v_turn % 10 - v_turn % 10 * 4 / 10];
    select
      coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 'take'), '{}'),
      array_agg(x.n) filter (where x.verdict = 'gone'),
      array_agg(x.n order by x.n) filter (where x.verdict = 'miss'),
      array_agg(x.callable_id order by x.n) filter (where x.verdict = 'miss')
    into v_taken, v_gone, v_missed, v_missed_callables
    from (
      select y.*,
        case
          when not y.runnable then y.otherwise
          when y.pool is null then 'miss'
          -- Beyond the pool's room it stays visible.
          when row_number() over (partition by y.runnable, y.pool order by y.place) <= coalesce(v_free[y.pool], 0)
            then 'take'
        end as verdict
      from (
        select w.*, tasker_core._class_place(w.class, w.nth + v_before[w.class + 1]) as place
        from (
          select z.*, row_number() over (partition by z.runnable, z.pool, z.class order by z.message_id) as nth
          from (
            select i.step_id, i.n, v_message_ids[i.n] as message_id, v_queue_ids[i.n] & 3 as class, s.callable_id,
              coalesce(s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now), false) as runnable,
              case when s.state = 'in_progress' then 'leased' else 'gone' end as otherwise,
              case when p_callables[width_bucket(s.callable_id, p_callables)] = s.callable_id
                then p_pools[width_bucket(s.callable_id, p_callables)] end as pool
            from unnest(v_ids) with ordinality i(step_id, n)
            left join unnest(v_steps) s on s.step_id = i.step_id
          ) z
        ) w
      ) y
    ) x;

    return query select x.* from tasker_core._lease_steps(p_worker_id, v_queue_ids, v_ids, v_message_ids, v_steps,
      v_taken, 'claim', p_max_deaths, v_now + p_lease, v_now) x;
    v_turn := v_turn + cardinality(v_taken);
    -- Several namespaces share the pools: what is taken here is not free for the next.
    v_free := array(
      select v_free[p] - (select count(*) from unnest(v_steps) s
        where v_taken[width_bucket(s.step_id, v_taken)] = s.step_id
          and p_pools[width_bucket(s.callable_id, p_callables)] = p)::integer
      from generate_subscripts(v_free, 1) p order by p);
    if v_gone is not null then
      perform tasker_core._delete_messages(array_agg(v_queue_ids[g]), array_agg(v_message_ids[g])) from unnest(v_gone) g;
    end if;
    if v_missed is not null then
      -- Sent by somebody else, for another worker: now its own readers find it.
      for v_group in
        select v_queue_ids[m.n] as queue_id, array_agg(v_message_ids[m.n]) as messages, array_agg(m.callable_id) as callables
        from unnest(v_missed, v_missed_callables) m(n, callable_id) group by 1
      loop
        execute format('select tasker_core._queue_%s_route($1, $2)', v_group.queue_id)
        using v_group.messages, v_group.callables;
      end loop;
    end if;
    for v_group in
      select s.leased_until, array_agg(v_queue_ids[width_bucket(s.step_id, v_ids)]) as queue_ids,
        array_agg(v_message_ids[width_bucket(s.step_id, v_ids)]) as message_ids
      from unnest(v_steps) s where s.state = 'in_progress' and s.leased_until > v_now group by s.leased_until
    loop
      perform tasker_core._show_messages(v_group.queue_ids, v_group.message_ids, v_group.leased_until);
    end loop;
  end loop;
end $$;

-- What was read beyond one message per step: further messages for a step are deleted, and what names no step, so is not
-- ours, is kept in the archive for whoever sent it.
create function tasker_core._clear_strays(
  p_namespace_id integer, p_read_queues integer[], p_read_messages bigint[], p_read_steps bigint[],
  p_ids bigint[], p_queue_ids integer[], p_message_ids bigint[]
) returns void
language plpgsql set search_path to '' as $$
declare
  v_name text := (select n.name from tasker_core.namespaces n where n.namespace_id = p_namespace_id);
begin
  perform tasker_core._delete_messages(array_agg(r.queue_id), array_agg(r.msg_id))
  from unnest(p_read_queues, p_read_messages, p_read_steps) r(queue_id, msg_id, step_id)
  where r.step_id is not null
    and (r.queue_id, r.msg_id) is distinct from
      (p_queue_ids[width_bucket(r.step_id, p_ids)], p_message_ids[width_bucket(r.step_id, p_ids)]);
  perform pgmq.archive(tasker_core._queue_name(v_name, r.queue_id), array_agg(r.msg_id))
  from unnest(p_read_queues, p_read_messages, p_read_steps) r(queue_id, msg_id, step_id)
  where r.step_id is null group by r.queue_id;
end $$;

-- purpose: takes queued steps whose callable no live worker runs and which have waited long enough, so that the caller
--          can fail them as handler_not_found. Off the hot path: called at the polling interval.
-- rows:    unroutable, as claim.
-- locks: messages (skip locked), then steps ascending.
create function tasker_core.claim_unroutable_steps(
  p_worker_id integer, p_namespace_ids integer[], p_limit integer, p_lease interval, p_max_deaths integer,
  p_handler_wait interval
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_live integer[];
  v_queue_id integer;
  v_ids bigint[];
  v_message_ids bigint[];
  v_steps tasker_core.steps[];
  v_taken bigint[];
begin
  v_live := array(
    select distinct wc.callable_id
    from tasker_core.worker_callables wc join tasker_core.workers w on w.worker_id = wc.worker_id
    where w.stopped_at is null and w.last_seen_at > v_now - interval '30 seconds');
  for v_queue_id in select n * 4 + c from unnest(p_namespace_ids) n, generate_series(0, 2) c order by 1 loop
    execute format($q$
      select array_agg(x.step_id order by x.step_id), array_agg(x.msg_id order by x.step_id)
      from (
        select r.step_id, max(r.msg_id) as msg_id from tasker_core._queue_%s_orphans($1, $2, $3) r
        where r.step_id is not null group by r.step_id
      ) x $q$, v_queue_id)
    into v_ids, v_message_ids using p_limit, v_live, v_now - p_handler_wait;
    continue when v_ids is null;
    select array_agg(x.s) into v_steps
    from (select s from tasker_core.steps s where s.step_id = any(v_ids) order by s.step_id for update) x;
    v_taken := array(
      select s.step_id from unnest(v_steps) s
      where s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now) order by s.step_id);
    return query select x.* from tasker_core._lease_steps(p_worker_id,
      array_fill(v_queue_id, array[cardinality(v_ids)]), v_ids, v_message_ids, v_steps,
      v_taken, 'unroutable', p_max_deaths, v_now + p_lease, v_now) x;
  end loop;
end $$;
