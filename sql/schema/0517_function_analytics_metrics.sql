-- purpose: figures of a period, by default the last hour. A task counts as completed or failed when one of its steps did,
--          as the contract says: a task can be both. Rates are percentages of those outcomes, durations seconds.
create function tasker.get_analytics_metrics(p_since timestamptz default null)
returns table (
  active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
  system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
  completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
  step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz
)
language sql stable set search_path to '' as $$
  with period as materialized (
    select tasker.now() as until, coalesce(p_since, tasker.now() - interval '1 hour') as since
  ), ended as materialized (
    select s.step_id >> 20 as task_id, s.state, coalesce(s.processed_at, s.updated_at) as at,
      extract(epoch from s.processed_at - s.last_attempted_at) as seconds
    from tasker_core.steps s, period p
    where s.state in ('complete', 'error')
      and coalesce(s.processed_at, s.updated_at) >= least(p.since, p.until - interval '1 hour')
  ), outcomes as (
    select count(distinct e.task_id) filter (where e.state = 'complete' and e.at >= p.since) as completions,
      count(distinct e.task_id) filter (where e.state = 'error' and e.at >= p.since) as errors,
      count(distinct e.task_id) filter (where e.state = 'complete' and e.at >= p.until - interval '1 hour') as hour_good,
      count(distinct e.task_id) filter (where e.state = 'error' and e.at >= p.until - interval '1 hour') as hour_bad,
      count(*) filter (where e.state = 'complete' and e.at >= p.since) as steps,
      avg(e.seconds) filter (where e.state = 'complete' and e.at >= p.since) as seconds
    from ended e, period p
  )
  select (select count(*) from tasker_core.tasks t
      where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')),
    (select count(*) from tasker_core.namespaces), (select count(*) from tasker_core.named_tasks),
    coalesce(round(o.hour_good::numeric / nullif(o.hour_good + o.hour_bad, 0), 4), 1.0),
    (select count(*) from tasker_core.task_requests r where r.created_at >= p.since), o.completions, o.errors,
    coalesce(round(o.completions * 100.0 / nullif(o.completions + o.errors, 0), 2), 0),
    coalesce(round(o.errors * 100.0 / nullif(o.completions + o.errors, 0), 2), 0),
    coalesce((select round(avg(extract(epoch from t.completed_at - r.requested_at)), 3)
      from tasker_core.tasks t join tasker_core.task_requests r on r.task_id = t.task_id
      where t.completed_at >= p.since), 0),
    coalesce(round(o.seconds, 3), 0), o.steps, p.since, p.until
  from outcomes o, period p
$$;
