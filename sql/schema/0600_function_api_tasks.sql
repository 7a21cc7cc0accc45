-- purpose: what the REST API answers about tasks and steps, as JSON text (contract/rest.md sections 2.2 to 2.6). Contexts and
--          results are spliced in byte for byte. For a caller that is limited to p_namespaces nothing else exists; null: it
--          is not limited.
-- RFC 3339 with `Z`, and the same without a zone, both with six decimals.
create function tasker_core._zoned(p_at timestamptz) returns text
language sql immutable parallel safe
return to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

create function tasker_core._naive(p_at timestamp without time zone) returns text
language sql immutable parallel safe
return to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.US');

-- Null when there is no such task, or it is not the caller's to see.
create function tasker_core._api_task_id(p_task_uuid uuid, p_namespaces text[]) returns bigint
language sql stable set search_path to '' as $$
  select r.task_id from tasker_core.task_requests r
  where r.task_uuid = p_task_uuid and tasker_core._task_within(r.task_id, p_namespaces)
$$;

create function tasker_core._api_readiness(p_task_ids bigint[]) returns table (task_uuid uuid, steps json)
language sql stable set search_path to '' as $$
  select x.task_uuid, json_agg(json_build_object('workflow_step_uuid', x.workflow_step_uuid, 'task_uuid', x.task_uuid,
    'named_step_uuid', x.named_step_uuid, 'name', x.name, 'current_state', x.current_state,
    'dependencies_satisfied', x.dependencies_satisfied, 'retry_eligible', x.retry_eligible,
    'ready_for_execution', x.ready_for_execution, 'last_failure_at', tasker_core._naive(x.last_failure_at),
    'next_retry_at', tasker_core._naive(x.next_retry_at), 'total_parents', x.total_parents,
    'completed_parents', x.completed_parents, 'attempts', x.attempts, 'max_attempts', x.max_attempts,
    'backoff_request_seconds', x.backoff_request_seconds,
    'last_attempted_at', tasker_core._naive(x.last_attempted_at)) order by x.workflow_step_uuid)
  from tasker_core._step_readiness(p_task_ids) x
  group by x.task_uuid
$$;

-- TaskResponse. In a list: no steps, and a status that only says whether the task is complete.
create function tasker_core._api_tasks(p_task_ids bigint[], p_is_list boolean) returns table (task_id bigint, body json)
language sql stable set search_path to '' as $$
  select r.task_id, json_build_object('task_uuid', r.task_uuid, 'name', n.name, 'namespace', ns.name,
    'version', n.version,
    'status', case when not p_is_list then t.state::text when t.state = 'complete' then 'completed' else 'pending' end,
    'created_at', tasker_core._zoned(r.created_at), 'updated_at', tasker_core._zoned(t.state_since),
    'completed_at', tasker_core._zoned(t.completed_at), 'context', r.context, 'initiator', r.initiator,
    'source_system', r.source_system, 'reason', r.reason, 'priority', r.priority, 'tags', r.tags,
    'correlation_id', r.correlation_id, 'parent_correlation_id', r.parent_correlation_id,
    'total_steps', c.total_steps, 'pending_steps', c.pending_steps, 'in_progress_steps', c.in_progress_steps,
    'completed_steps', c.completed_steps, 'failed_steps', c.failed_steps, 'ready_steps', c.ready_steps,
    'execution_status', c.execution_status, 'recommended_action', c.recommended_action,
    'completion_percentage', c.completion_percentage, 'health_status', c.health_status,
    'steps', coalesce(s.steps, '[]'))
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  cross join lateral tasker.get_task_execution_context(r.task_uuid) c
  left join tasker_core._api_readiness(case when p_is_list then '{}' else p_task_ids end) s on s.task_uuid = r.task_uuid
  where r.task_id = any(p_task_ids)
$$;

-- Null when there is no such task.
create function tasker_core.api_task(p_task_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select x.body from tasker_core._api_tasks(array[tasker_core._api_task_id(p_task_uuid, p_namespaces)], false) x
$$;

create function tasker_core.api_task_exists(p_task_uuid uuid, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select tasker_core._api_task_id(p_task_uuid, p_namespaces) is not null
$$;

-- Newest first. p_status: `completed`, `pending` (everything else), or a task state.
create function tasker_core.api_task_list(
  p_namespace text, p_status text, p_initiator text, p_source_system text, p_limit integer, p_offset bigint,
  p_namespaces text[]
) returns table (total bigint, tasks json)
language sql stable set search_path to '' as $$
  with found as materialized (
    select r.task_id
    from tasker_core.task_requests r
    join tasker_core.tasks t on t.task_id = r.task_id
    join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
    join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
    where tasker_core._within(ns.name, p_namespaces) and (p_namespace is null or ns.name = p_namespace)
      and case
        when p_status is null then true
        when p_status = 'completed' then t.state = 'complete'
        when p_status = 'pending' then t.state <> 'complete'
        else t.state::text = p_status
      end
      and (p_initiator is null or r.initiator = p_initiator)
      and (p_source_system is null or r.source_system = p_source_system)
  ), page as materialized (
    select f.task_id from found f order by f.task_id desc limit p_limit offset p_offset
  )
  select (select count(*) from found),
    coalesce((
      select json_agg(x.body order by x.task_id desc)
      from tasker_core._api_tasks(array(select p.task_id from page p), true) x), '[]')
$$;

-- StepResponse, of all steps of a task or of one. Ordered by creation; those of one transaction by uuid.
create function tasker_core._api_steps(p_task_id bigint)
returns table (step_uuid uuid, created_at timestamptz, body json)
language sql stable set search_path to '' as $$
  select x.workflow_step_uuid, s.created_at, json_build_object('step_uuid', x.workflow_step_uuid,
    'task_uuid', x.task_uuid, 'name', x.name, 'created_at', tasker_core._zoned(s.created_at),
    'updated_at', tasker_core._zoned(s.updated_at), 'completed_at', tasker_core._zoned(s.processed_at),
    'results', (select sr.body from tasker_core.step_results sr
      where sr.step_id = s.step_id order by sr.token desc limit 1),
    'current_state', x.current_state, 'dependencies_satisfied', x.dependencies_satisfied,
    'retry_eligible', x.retry_eligible, 'ready_for_execution', x.ready_for_execution,
    'total_parents', x.total_parents, 'completed_parents', x.completed_parents, 'attempts', x.attempts,
    'max_attempts', x.max_attempts, 'last_failure_at', tasker_core._naive(x.last_failure_at) || 'Z',
    'next_retry_at', tasker_core._naive(x.next_retry_at) || 'Z',
    'last_attempted_at', tasker_core._naive(x.last_attempted_at) || 'Z')
  from tasker_core._step_readiness(array[p_task_id]) x
  join tasker_core.steps s on s.step_id = x.step_id
$$;

-- An unknown task has no steps.
create function tasker_core.api_steps(p_task_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(x.body order by x.created_at, x.step_uuid), '[]')
  from tasker_core._api_steps(tasker_core._api_task_id(p_task_uuid, p_namespaces)) x
$$;

-- Null when there is no such step, or when it is another task's.
create function tasker_core.api_step(p_task_uuid uuid, p_step_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select x.body from tasker_core._api_steps(tasker_core._api_task_id(p_task_uuid, p_namespaces)) x
  where x.step_uuid = p_step_uuid
$$;

-- Does the step exist for the caller at all, in whatever task?
create function tasker_core.api_step_exists(p_step_uuid uuid, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select coalesce(tasker_core._task_within(x.step_id >> 20, p_namespaces), false) and x.step_id is not null
  from (select tasker_core._existing_step_id(p_step_uuid) as step_id) x
$$;

-- StepAuditResponse, newest first: one for each result that a worker has submitted.
create function tasker_core.api_step_audit(p_step_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  with step as materialized (
    select x.step_id from (select tasker_core._existing_step_id(p_step_uuid) as step_id) x
    where tasker_core._task_within(x.step_id >> 20, p_namespaces)
  ), results as materialized (
    select sr.*, row_number() over (order by sr.token) as n
    from tasker_core.step_results sr, step s where sr.step_id = s.step_id and sr.worker_id <> 0
  ), moves as materialized (
    select g.log_id, row_number() over (order by g.log_id) as n
    from tasker_core.step_log g, step s
    where g.step_id = s.step_id and g.move in ('submit_success', 'submit_error', 'succeed', 'retry_later', 'fail')
  )
  -- The result is joined as text: it stays as it was given.
  select coalesce(json_agg((left(json_strip_nulls(json_build_object(
      'audit_uuid', md5('result:' || x.step_id || ':' || x.token)::uuid, 'workflow_step_uuid', p_step_uuid,
      'transition_uuid', md5('step:' || x.step_id || ':' || coalesce(m.log_id, 0) || ':1')::uuid,
      'task_uuid', r.task_uuid, 'recorded_at', tasker_core._zoned(x.recorded_at), 'worker_uuid', w.worker_uuid,
      'correlation_id', r.correlation_id, 'success', x.success, 'execution_time_ms', x.execution_ms,
      'step_name', coalesce(s.name, ts.name), 'from_state', 'in_progress',
      'to_state', case when x.success then 'enqueued_for_orchestration'
        else 'enqueued_as_error_for_orchestration' end))::text, -1)
    || ',"result":{"type":"'
    || case when x.success then 'EnqueueForOrchestration' else 'EnqueueAsErrorForOrchestration' end
    || '","data":' || x.body::text || '}}')::json order by x.recorded_at desc, x.token desc), '[]')
  from results x
  join tasker_core.steps s on s.step_id = x.step_id
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.task_requests r on r.task_id = x.step_id >> 20
  left join moves m on m.n = x.n
  left join tasker_core.workers w on w.worker_id = x.worker_id
$$;

-- The contract's summary with its times in the API's form. Null when there is no such task.
create function tasker_core.api_task_summary(p_task_uuid uuid, p_namespaces text[]) returns jsonb
language sql stable set search_path to '' as $$
  select x.summary || jsonb_build_object('task', x.summary -> 'task' || jsonb_build_object(
    'created_at', tasker_core._zoned(r.created_at), 'updated_at', tasker_core._zoned(t.state_since),
    'completed_at', tasker_core._zoned(t.completed_at)))
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  cross join lateral tasker.get_task_summaries(array[r.task_uuid]) x
  where r.task_id = tasker_core._api_task_id(p_task_uuid, p_namespaces)
$$;
