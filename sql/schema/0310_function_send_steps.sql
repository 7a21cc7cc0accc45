-- purpose: makes ready steps runnable. Up to p_free[pool] of them per pool are handed to the calling worker, already
--          leased; the rest become visible in their queues. Every array is aligned with p_step_ids, which is ascending;
--          p_callables is ascending too and aligned with p_pools.
-- Higher classes are handed over first. While steps of class p_waiting_class wait in queues, lower classes get at most a
-- quarter of a pool's room. p_suspects (null: none): steps that have cost a process its life; only claim_steps hands those
-- out, because it knows when to give one up.
-- locks: none of its own; the caller holds the step rows. Messages are new rows.
create function tasker_core._send_steps(
  p_step_ids bigint[], p_queue_ids integer[], p_callable_ids integer[], p_task_uuids uuid[],
  p_correlation_ids uuid[], p_was_waiting boolean, p_worker_id integer, p_callables integer[], p_pools integer[],
  p_free integer[], p_waiting_class integer, p_suspects boolean[], p_lease interval, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_handed integer[];
  v_queued integer[];
  v_queue_id integer;
  v_group integer[];
  v_ids bigint[];
  v_messages bigint[];
  v_until timestamptz := p_now + p_lease;
begin
  select array_agg(x.i order by x.i) filter (where x.handed), array_agg(x.i order by x.i) filter (where not x.handed)
  into v_handed, v_queued
  from (
    select r.i,
      r.pool is not null
        and row_number() over (partition by r.pool order by r.class desc, r.i) <= coalesce(p_free[r.pool], 0)
        and (r.class >= p_waiting_class or
          row_number() over (partition by r.pool, r.class >= p_waiting_class order by r.class desc, r.i) * 4
            <= p_free[r.pool] + 3) as handed
    from (
      select i, p_queue_ids[i] & 3 as class, case when p_suspects[i] then null
          when p_callables[width_bucket(p_callable_ids[i], p_callables)] = p_callable_ids[i]
        then p_pools[width_bucket(p_callable_ids[i], p_callables)] end as pool
      from generate_subscripts(p_step_ids, 1) i
    ) r
  ) x;

  for v_queue_id in select distinct n from unnest(p_queue_ids) n order by n loop
    v_group := array(select i from unnest(v_handed) i where p_queue_ids[i] = v_queue_id order by i);
    if cardinality(v_group) > 0 then
      v_ids := array(select p_step_ids[i] from unnest(v_group) i);
      execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
      using v_ids, array(select p_task_uuids[i] from unnest(v_group) i),
        array(select p_correlation_ids[i] from unnest(v_group) i),
        array(select p_callable_ids[i] from unnest(v_group) i), v_until;
      return query
      update tasker_core.steps s set
        state = 'in_progress', lease_token = s.lease_token + 1, attempts = s.attempts + 1,
        worker_id = p_worker_id, leased_until = v_until, message_id = v_messages[width_bucket(s.step_id, v_ids)],
        previous_attempt_at = s.last_attempted_at, last_attempted_at = p_now, updated_at = p_now
      where s.step_id = any(v_ids)
      returning 'claim', s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer,
        s.solo, null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at,
        (select t.data_epoch::bigint from tasker_core.tasks t where t.task_id = s.step_id >> 20);
      insert into tasker_core.step_log (step_id, at, move, worker_id)
      select x.step_id, p_now, case when p_was_waiting then 'retry_hand_off' else 'hand_off' end::tasker_core.step_move,
        p_worker_id
      from unnest(v_ids) x(step_id);
    end if;

    v_group := array(select i from unnest(v_queued) i where p_queue_ids[i] = v_queue_id order by i);
    if cardinality(v_group) > 0 then
      v_ids := array(select p_step_ids[i] from unnest(v_group) i);
      execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
      using v_ids, array(select p_task_uuids[i] from unnest(v_group) i),
        array(select p_correlation_ids[i] from unnest(v_group) i),
        array(select p_callable_ids[i] from unnest(v_group) i), p_now;
      update tasker_core.steps s set
        state = 'enqueued', message_id = v_messages[width_bucket(s.step_id, v_ids)], updated_at = p_now
      where s.step_id = any(v_ids);
      insert into tasker_core.step_log (step_id, at, move, worker_id)
      select x.step_id, p_now, case when p_was_waiting then 'retry_enqueue' else 'enqueue' end::tasker_core.step_move,
        p_worker_id
      from unnest(v_ids) x(step_id);
      return query select 'queued', null::bigint, null::bigint, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
        cardinality(v_ids)::bigint;
    end if;
  end loop;
end $$;
