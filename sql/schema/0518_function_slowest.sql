-- purpose: the slowest steps and tasks of a period, single and per definition. A step's duration is its last attempt, a
--          task's is from request to completion; a task or step that is not finished has none and is left out.
create function tasker.get_slowest_steps(
  p_since timestamptz default null, p_limit integer default 10, p_namespace text default null,
  p_task_name text default null, p_version text default null
)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, step_name text, task_name text, namespace_name text, version text,
  duration_seconds numeric, attempts integer, created_at timestamp without time zone,
  completed_at timestamp without time zone, retryable boolean, step_status text
)
language sql stable set search_path to '' as $$
  select tasker_core.step_uuid(r.task_uuid, s.step_id), r.task_uuid, coalesce(s.name, d.name)::text, n.name::text,
    ns.name::text, n.version::text,
    round(extract(epoch from s.processed_at - coalesce(s.last_attempted_at, s.created_at)), 3) as duration, s.attempts,
    s.created_at at time zone 'UTC', s.processed_at at time zone 'UTC', s.retryable, s.state::text
  from tasker_core.steps s
  join tasker_core.task_requests r on r.task_id = s.step_id >> 20
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.named_steps d on d.named_step_id = ts.named_step_id
  where s.state = 'complete' and s.processed_at is not null
    and s.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
    and (p_namespace is null or ns.name = p_namespace) and (p_task_name is null or n.name = p_task_name)
    and (p_version is null or n.version = p_version)
  order by duration desc, s.step_id
  limit p_limit
$$;

create function tasker.get_slowest_tasks(
  p_since timestamptz default null, p_limit integer default 10, p_namespace text default null,
  p_task_name text default null, p_version text default null
)
returns table (
  task_uuid uuid, task_name text, namespace_name text, version text, duration_seconds numeric, step_count bigint,
  completed_steps bigint, error_steps bigint, created_at timestamp without time zone,
  completed_at timestamp without time zone, initiator text, source_system text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, ns.name::text, n.version::text,
    round(extract(epoch from t.completed_at - r.requested_at), 3) as duration, t.n_total::bigint,
    t.n_complete::bigint, t.n_error::bigint, r.created_at at time zone 'UTC', t.completed_at at time zone 'UTC',
    r.initiator::text, r.source_system::text
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where t.completed_at is not null and r.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
    and (p_namespace is null or ns.name = p_namespace) and (p_task_name is null or n.name = p_task_name)
    and (p_version is null or n.version = p_version)
  order by duration desc, t.task_id
  limit p_limit
$$;

-- error_rate is a share, 0..1. An execution is a step that finished or failed for good.
create function tasker.get_slowest_steps_aggregated(
  p_since timestamptz default null, p_limit integer default 10, p_min_executions integer default 5
)
returns table (
  namespace_name text, task_name text, version text, step_name text, average_duration_seconds numeric,
  max_duration_seconds numeric, execution_count bigint, error_count bigint, error_rate numeric,
  last_executed_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select ns.name::text, n.name::text, n.version::text, d.name::text, coalesce(round(avg(x.seconds), 3), 0) as average,
    coalesce(round(max(x.seconds), 3), 0), count(*), count(*) filter (where x.failed),
    round(count(*) filter (where x.failed)::numeric / count(*), 4), max(x.ended_at) at time zone 'UTC'
  from (
    select s.step_id >> 20 as task_id, s.template_step_id, s.state = 'error' as failed, e.ended_at,
      extract(epoch from e.ended_at - coalesce(s.last_attempted_at, s.created_at)) as seconds
    from tasker_core.steps s
    cross join lateral (select case when s.state = 'error' then s.updated_at else s.processed_at end as ended_at) e
    where s.state in ('complete', 'error') and s.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
  ) x
  join tasker_core.task_requests r on r.task_id = x.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  join tasker_core.template_steps ts on ts.template_step_id = x.template_step_id
  join tasker_core.named_steps d on d.named_step_id = ts.named_step_id
  group by ns.name, n.name, n.version, d.name
  having count(*) >= p_min_executions
  order by average desc, ns.name, n.name, n.version, d.name
  limit p_limit
$$;

create function tasker.get_slowest_tasks_aggregated(
  p_since timestamptz default null, p_limit integer default 10, p_min_executions integer default 5
)
returns table (
  namespace_name text, task_name text, version text, average_duration_seconds numeric, max_duration_seconds numeric,
  execution_count bigint, average_step_count numeric, error_count bigint, error_rate numeric,
  last_executed_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select ns.name::text, n.name::text, n.version::text, coalesce(round(avg(x.seconds), 3), 0) as average,
    coalesce(round(max(x.seconds), 3), 0), count(*), round(avg(x.n_total), 2), count(*) filter (where x.failed),
    round(count(*) filter (where x.failed)::numeric / count(*), 4), max(x.ended_at) at time zone 'UTC'
  from (
    select r.named_task_id, t.n_total, t.state <> 'complete' as failed, e.ended_at,
      extract(epoch from e.ended_at - r.requested_at) as seconds
    from tasker_core.tasks t
    join tasker_core.task_requests r on r.task_id = t.task_id
    cross join lateral (select coalesce(t.completed_at, t.state_since) as ended_at) e
    where t.state in ('complete', 'error', 'blocked_by_failures')
      and r.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
  ) x
  join tasker_core.named_tasks n on n.named_task_id = x.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  group by ns.name, n.name, n.version
  having count(*) >= p_min_executions
  order by average desc, ns.name, n.name, n.version
  limit p_limit
$$;
