-- purpose: a task at a glance, the JSON of contract/rest.md 2.7 (GET /v1/tasks/{uuid}/summary), without payloads.
create function tasker.get_task_summaries(p_task_uuids uuid[]) returns table (task_uuid uuid, summary jsonb)
language sql stable set search_path to '' as $$
  select r.task_uuid, jsonb_build_object(
    'task', jsonb_build_object('task_uuid', r.task_uuid, 'name', n.name, 'namespace', ns.name, 'version', n.version,
      'status', c.status, 'created_at', r.created_at, 'updated_at', t.state_since, 'completed_at', t.completed_at,
      'initiator', r.initiator, 'source_system', r.source_system, 'reason', r.reason,
      'correlation_id', r.correlation_id, 'total_steps', c.total_steps, 'pending_steps', c.pending_steps,
      'in_progress_steps', c.in_progress_steps, 'completed_steps', c.completed_steps, 'failed_steps', c.failed_steps)
      || jsonb_build_object('completion_percentage', c.completion_percentage, 'health_status', c.health_status,
      'execution_status', c.execution_status, 'recommended_action', c.recommended_action),
    'template', jsonb_build_object('steps', (
      select coalesce(jsonb_agg(jsonb_build_object('name', ts.name, 'step_type', ts.step_type, 'handler', k.name,
        'dependencies', (select coalesce(jsonb_agg(p.name order by p.template_step_id), '[]')
          from tasker_core.template_steps p
          where p.template_step_id in (select (t.template_id::bigint << 20) + o.n from unnest(ts.dependencies) o(n))),
        'retryable', ts.retryable, 'max_attempts', ts.max_attempts) order by ts.template_step_id), '[]')
      from tasker_core.template_steps ts join tasker_core.callables k on k.callable_id = ts.callable_id
      where ts.template_step_id >= t.template_id::bigint << 20
        and ts.template_step_id < (t.template_id + 1)::bigint << 20)),
    'steps', (
      select coalesce(jsonb_agg(jsonb_build_object('step_uuid', x.workflow_step_uuid, 'name', x.name,
        'current_state', x.current_state, 'created_at', s.created_at at time zone 'UTC',
        'completed_at', s.processed_at at time zone 'UTC', 'last_attempted_at', x.last_attempted_at,
        'attempts', x.attempts, 'max_attempts', x.max_attempts,
        'dependencies_satisfied', x.dependencies_satisfied, 'retry_eligible', x.retry_eligible,
        'error', case when jsonb_typeof(e.body -> 'error') = 'object' then jsonb_build_object(
          'error_type', e.body #> '{error,error_type}',
          'retryable', coalesce(e.body #> '{error,retryable}', 'false'),
          'status_code', e.body #> '{error,status_code}') end) order by s.created_at, s.step_id), '[]')
      from tasker_core._step_readiness(array[t.task_id]) x
      join tasker_core.steps s on s.step_id = x.step_id
      left join lateral (select sr.body::jsonb as body from tasker_core.step_results sr
        where sr.step_id = s.step_id order by sr.token desc limit 1) e on true),
    'dlq', coalesce(
      (select jsonb_build_object('in_dlq', true, 'dlq_reason', d.dlq_reason, 'resolution_status', d.resolution_status)
       from tasker_core.tasks_dlq d where d.task_id = r.task_id and d.resolution_status = 'pending'),
      '{"in_dlq": false, "dlq_reason": null, "resolution_status": null}'::jsonb),
    'links', jsonb_build_object('task', '/v1/tasks/' || r.task_uuid,
      'steps', '/v1/tasks/' || r.task_uuid || '/workflow_steps', 'dlq', '/v1/dlq'))
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  cross join lateral tasker.get_task_execution_context(r.task_uuid) c
  where r.task_uuid = any(p_task_uuids)
  order by r.task_uuid
$$;

-- Null when there is no such task.
create function tasker.get_task_summary(p_task_uuid uuid) returns jsonb
language sql stable set search_path to '' as $$
  select x.summary from tasker.get_task_summaries(array[p_task_uuid]) x
$$;
