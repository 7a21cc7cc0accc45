-- purpose: what the REST API answers about performance (contract/rest.md section 2.7).
create function tasker_core.api_performance(p_hours integer) returns json
language sql stable set search_path to '' as $$
  with period as materialized (
    select tasker.now() - make_interval(hours => case when p_hours = 0 then 1 else p_hours end) as since
  ), counts as (
    select count(*) as total, count(*) filter (where t.state = 'complete') as completed,
      count(*) filter (where t.state in ('error', 'blocked_by_failures')) as failed
    from tasker_core.tasks t join tasker_core.task_requests r on r.task_id = t.task_id, period p
    where r.created_at >= p.since
  )
  select json_build_object('total_tasks', c.total, 'active_tasks', m.active_tasks_count,
    'completed_tasks', c.completed, 'failed_tasks', c.failed, 'completion_rate', m.completion_rate,
    'error_rate', m.error_rate, 'average_task_duration_seconds', m.avg_task_duration,
    'average_step_duration_seconds', m.avg_step_duration, 'tasks_per_hour', m.task_throughput,
    'steps_per_hour', m.step_throughput, 'system_health_score', m.system_health_score,
    'analysis_period_start', tasker_core._zoned(m.analysis_period_start),
    'calculated_at', tasker_core._zoned(m.calculated_at))
  from period p cross join counts c cross join lateral tasker.get_analytics_metrics(p.since) m
$$;

-- p_pool_utilization: of the server that asks, 0 to 1.
create function tasker_core.api_bottlenecks(
  p_limit integer, p_min_executions integer, p_pool_utilization double precision
) returns json
language sql stable set search_path to '' as $$
  with steps as materialized (
    select x.* from tasker.get_slowest_steps_aggregated(null, p_limit, p_min_executions) x
  ), tasks as materialized (
    select x.* from tasker.get_slowest_tasks_aggregated(null, p_limit, p_min_executions) x
  )
  select json_build_object(
    'slow_steps', (select coalesce(json_agg(json_build_object('namespace_name', s.namespace_name,
      'task_name', s.task_name, 'version', s.version, 'step_name', s.step_name,
      'average_duration_seconds', s.average_duration_seconds, 'max_duration_seconds', s.max_duration_seconds,
      'execution_count', s.execution_count, 'error_count', s.error_count, 'error_rate', s.error_rate,
      'last_executed_at', tasker_core._naive(s.last_executed_at) || 'Z')
      order by s.average_duration_seconds desc), '[]') from steps s),
    'slow_tasks', (select coalesce(json_agg(json_build_object('namespace_name', t.namespace_name,
      'task_name', t.task_name, 'version', t.version, 'average_duration_seconds', t.average_duration_seconds,
      'max_duration_seconds', t.max_duration_seconds, 'execution_count', t.execution_count,
      'average_step_count', t.average_step_count, 'error_count', t.error_count, 'error_rate', t.error_rate,
      'last_executed_at', tasker_core._naive(t.last_executed_at) || 'Z')
      order by t.average_duration_seconds desc), '[]') from tasks t),
    'resource_utilization', json_build_object('database_pool_utilization', p_pool_utilization,
      'system_health', (select row_to_json(h) from tasker.get_system_health_counts() h)),
    'recommendations', array_to_json(array_remove(array[
      case when (select max(s.error_rate) from steps s) > 0.2
        then 'Some steps fail often: look at their errors and retry settings' end,
      case when p_pool_utilization > 0.8
        then 'The database pool is nearly used up: raise common.database.pool.max_connections' end,
      case when (select s.average_duration_seconds from steps s order by s.average_duration_seconds desc limit 1) > 30
        then 'The slowest step takes more than 30 seconds on average: split it or run its parts in parallel' end
    ], null)))
$$;
