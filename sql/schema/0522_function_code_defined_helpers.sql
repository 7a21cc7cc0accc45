-- purpose: the read-only SQL helpers of contract/code-defined.md for outside tools.
-- Empty when the task is not one of this namespace and name.
create function tasker.tasker_get_ready_steps(p_namespace text, p_name text, p_task_uuid uuid)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.* from tasker.get_ready_steps(p_task_uuid) x
  where exists (
    select from tasker.get_task_ready_info(p_task_uuid) i
    where i.namespace_name = p_namespace and i.task_name = p_name)
$$;

-- The unfinished steps of a task and what they wait for. Reads only: dependencies are resolved with the results.
create function tasker.tasker_resolve_dependencies(p_task_uuid uuid)
returns table (
  workflow_step_uuid uuid, name text, current_state text, dependencies_satisfied boolean, total_parents integer,
  completed_parents integer
)
language sql stable set search_path to '' as $$
  select x.workflow_step_uuid, x.name, x.current_state, x.dependencies_satisfied, x.total_parents, x.completed_parents
  from tasker.get_step_readiness_status(p_task_uuid) x
  where x.current_state not in ('complete', 'cancelled', 'resolved_manually')
$$;
