-- purpose: takes steps out of the queues of the given namespaces for one worker: up to p_free[pool] per pool, only
--          callables it can run. Takes over expired leases (a death each) and released ones.
--          After p_limit messages it stops; `scanned` says how many it saw, so that the caller knows to come back.
-- locks: messages (skip locked), then steps ascending.
create function tasker_core.claim_steps(
  p_worker_id integer, p_namespace_ids integer[], p_limit integer, p_callables integer[], p_pools integer[],
  p_free integer[], p_lease interval, p_max_deaths integer, p_handler_wait interval
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_until timestamptz := v_now + p_lease;
  v_namespace_id integer;
  v_message_ids bigint[];
  v_ids bigint[];
  v_read_messages bigint[];
  v_read_steps bigint[];
  v_unreadable bigint[];
  v_duplicates bigint[];
  v_steps tasker_core.steps[];
  v_mine bigint[];
  v_unroutable bigint[];
  v_gone bigint[];
  v_delayed bigint[];
  v_full bigint[];
  v_free integer[] := p_free;
  v_held record;
begin
  foreach v_namespace_id in array p_namespace_ids loop
    execute format('select array_agg(r.msg_id), array_agg(r.step_id) from tasker_core._queue_%s_read($1) r', v_namespace_id)
    into v_read_messages, v_read_steps using p_limit;
    continue when v_read_messages is null;
    return query select 'scanned', null::bigint, null::bigint, null::bigint, null::integer, null::integer,
      null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
      cardinality(v_read_messages)::bigint;

    -- Of several messages for one step the newest counts.
    select array_agg(x.step_id order by x.step_id) filter (where x.step_id is not null),
      array_agg(x.msg_id order by x.step_id) filter (where x.step_id is not null)
    into v_ids, v_message_ids
    from (
      select v_read_steps[i] as step_id, max(v_read_messages[i]) as msg_id
      from generate_subscripts(v_read_messages, 1) i group by v_read_steps[i]
    ) x;
    if coalesce(cardinality(v_ids), 0) < cardinality(v_read_messages) then
      select array_agg(v_read_messages[i]) filter (where v_read_steps[i] is null),
        array_agg(v_read_messages[i]) filter (where v_read_steps[i] is not null)
      into v_unreadable, v_duplicates
      from generate_subscripts(v_read_messages, 1) i
      where v_message_ids[width_bucket(v_read_steps[i], v_ids)] is distinct from v_read_messages[i];
      if v_duplicates is not null then
        execute format('select tasker_core._queue_%s_delete($1)', v_namespace_id) using v_duplicates;
      end if;
    end if;
    if v_unreadable is not null then
      -- Not ours: kept in the archive for whoever sent it.
      perform pgmq.archive(
        (select 'worker_' || n.name || '_queue' from tasker_core.namespaces n where n.namespace_id = v_namespace_id),
        v_unreadable);
    end if;
    continue when v_ids is null;

    select array_agg(x.s) into v_steps
    from (select s from tasker_core.steps s where s.step_id = any(v_ids) order by s.step_id for update) x;

    select
      coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 'take'), '{}'),
      coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 'unroutable'), '{}'),
      coalesce(array_agg(x.message_id) filter (where x.verdict = 'gone'), '{}'),
      coalesce(array_agg(x.message_id) filter (where x.verdict = 'miss'), '{}'),
      coalesce(array_agg(x.message_id) filter (where x.verdict = 'full'), '{}')
    into v_mine, v_unroutable, v_gone, v_delayed, v_full
    from (
      select y.step_id, y.message_id,
        case
          when not y.runnable then y.otherwise
          when y.pool is not null and y.rank <= coalesce(v_free[y.pool], 0) then 'take'
          when y.pool is not null then 'full'
          when y.updated_at + p_handler_wait < v_now and not exists (
            select from tasker_core.worker_callables wc
            join tasker_core.workers w on w.worker_id = wc.worker_id
            where wc.callable_id = y.callable_id and w.stopped_at is null
              and w.last_seen_at > v_now - interval '30 seconds') then 'unroutable'
          else 'miss'
        end as verdict
      from (
        select z.*, row_number() over (partition by z.runnable, z.pool order by z.step_id) as rank
        from (
          select i.step_id, v_message_ids[i.n] as message_id, s.callable_id, s.updated_at,
            coalesce(s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now), false) as runnable,
            case when s.state = 'in_progress' then 'leased' else 'gone' end as otherwise,
            case when p_callables[width_bucket(s.callable_id, p_callables)] = s.callable_id
              then p_pools[width_bucket(s.callable_id, p_callables)] end as pool
          from unnest(v_ids) with ordinality i(step_id, n)
          left join unnest(v_steps) s on s.step_id = i.step_id
        ) z
      ) y
    ) x;

    if cardinality(v_mine) + cardinality(v_unroutable) > 0 then
      insert into tasker_core.step_log (step_id, at, move, worker_id)
      select s.step_id, v_now, case s.state when 'enqueued' then 'claim' else 'redeliver' end::tasker_core.step_move,
        p_worker_id
      from unnest(v_steps) s
      where s.step_id = any(v_mine || v_unroutable);
      return query
      update tasker_core.steps s set
        state = 'in_progress', lease_token = s.lease_token + 1,
        -- A lost delivery consumes no attempt: a released step has its attempt back, an expired one keeps it.
        attempts = s.attempts + case when s.state = 'in_progress' and s.worker_id is not null then 0 else 1 end,
        deaths = s.deaths + case when s.state = 'in_progress' and s.worker_id is not null then 1 else 0 end,
        solo = s.solo or (s.state = 'in_progress' and s.worker_id is not null),
        worker_id = p_worker_id, leased_until = v_until,
        message_id = v_message_ids[width_bucket(s.step_id, v_ids)],
        previous_attempt_at = s.last_attempted_at, last_attempted_at = v_now, updated_at = v_now
      where s.step_id = any(v_mine || v_unroutable)
      returning
        case
          when v_unroutable[width_bucket(s.step_id, v_unroutable)] = s.step_id then 'unroutable'
          when s.deaths >= p_max_deaths then 'poisoned'
          else 'claim'
        end,
        s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer, s.solo,
        null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at, null::bigint;
      execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_namespace_id)
      using array(select v_message_ids[width_bucket(x, v_ids)] from unnest(v_mine || v_unroutable) x), v_until;
      -- Several namespaces share the pools: what is taken here is not free for the next.
      v_free := array(
        select v_free[p] - (select count(*) from unnest(v_steps) s where s.step_id = any(v_mine)
          and p_pools[width_bucket(s.callable_id, p_callables)] = p)::integer
        from generate_subscripts(v_free, 1) p order by p);
    end if;
    if cardinality(v_gone) > 0 then
      execute format('select tasker_core._queue_%s_delete($1)', v_namespace_id) using v_gone;
    end if;
    if cardinality(v_delayed) > 0 then
      execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_namespace_id)
      using v_delayed, v_now + interval '250 milliseconds';
    end if;
    -- A full page of steps for busy pools would hide the work behind it: step aside for a moment.
    if cardinality(v_full) > 0 and cardinality(v_ids) >= p_limit then
      execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_namespace_id)
      using v_full, v_now + interval '50 milliseconds';
    end if;
    for v_held in
      select s.leased_until, array_agg(v_message_ids[width_bucket(s.step_id, v_ids)]) as message_ids
      from unnest(v_steps) s where s.state = 'in_progress' and s.leased_until > v_now group by s.leased_until
    loop
      execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_namespace_id)
      using v_held.message_ids, v_held.leased_until;
    end loop;
  end loop;
end $$;
