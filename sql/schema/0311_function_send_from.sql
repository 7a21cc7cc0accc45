-- purpose: sends steps out of rows that the caller has locked (p_steps): looks up their tasks' public ids.
create function tasker_core._send_from(
  p_step_ids bigint[], p_steps tasker_core.steps[], p_was_waiting boolean, p_worker_id integer,
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_tasks bigint[] := array(select distinct x >> 20 from unnest(p_step_ids) x order by 1);
  v_uuids uuid[];
  v_correlations uuid[];
begin
  select array_agg(r.task_uuid order by r.task_id), array_agg(r.correlation_id order by r.task_id)
  into v_uuids, v_correlations
  from tasker_core.task_requests r where r.task_id = any(v_tasks);
  return query
  select (x.r).* from (
    select tasker_core._send_steps(
      p_step_ids, array_agg(s.queue_id order by s.step_id), array_agg(s.callable_id order by s.step_id),
      array_agg(v_uuids[width_bucket(s.step_id >> 20, v_tasks)] order by s.step_id),
      array_agg(v_correlations[width_bucket(s.step_id >> 20, v_tasks)] order by s.step_id),
      p_was_waiting, p_worker_id, p_callables, p_pools, p_free, p_waiting_class,
      array_agg(s.deaths > 0 order by s.step_id), p_lease, p_now) as r
    from unnest(p_steps) s
    where p_step_ids[width_bucket(s.step_id, p_step_ids)] = s.step_id
  ) x;
end $$;

-- When the next retry is due, as a `timer` row; none when nothing waits.
create function tasker_core._next_timer(p_now timestamptz) returns setof tasker_core.tick_row
language sql stable set search_path to '' as $$
  select 'timer', null::bigint, null::bigint, null::bigint, null::integer, null::integer, null::integer,
    null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
    greatest(0, ceil(extract(epoch from x.due_at - p_now) * 1000))::bigint
  from (select t.due_at from tasker_core.step_timers t order by t.due_at limit 1) x
$$;

-- Delay before the next attempt of a step: a server's hint, capped; else the template's strategy, capped, with jitter: the
-- cap is where many steps meet, so they are spread there too.
create function tasker_core._retry_delay_ms(p_template_step_id bigint, p_attempts integer, p_hint_ms integer)
returns integer
language sql volatile set search_path to '' as $$
  select (case
    when p_hint_ms is not null then least(p_hint_ms, ts.backoff_cap_ms)
    else (1 + (random() * 2 - 1) * ts.backoff_jitter) *
      tasker_core.backoff_ms(ts.backoff, ts.backoff_base_ms, ts.backoff_cap_ms, ts.backoff_multiplier, p_attempts)
  end)::integer
  from tasker_core.template_steps ts where ts.template_step_id = p_template_step_id
$$;
