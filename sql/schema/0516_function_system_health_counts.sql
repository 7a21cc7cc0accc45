-- purpose: how many tasks and steps are in each state, one pass over each table.
create function tasker.get_system_health_counts()
returns table (
  pending_tasks bigint,
  initializing_tasks bigint,
  enqueuing_steps_tasks bigint,
  steps_in_process_tasks bigint,
  evaluating_results_tasks bigint,
  waiting_for_dependencies_tasks bigint,
  waiting_for_retry_tasks bigint,
  blocked_by_failures_tasks bigint,
  complete_tasks bigint,
  error_tasks bigint,
  cancelled_tasks bigint,
  resolved_manually_tasks bigint,
  total_tasks bigint,
  pending_steps bigint,
  enqueued_steps bigint,
  in_progress_steps bigint,
  enqueued_for_orchestration_steps bigint,
  enqueued_as_error_for_orchestration_steps bigint,
  waiting_for_retry_steps bigint,
  complete_steps bigint,
  error_steps bigint,
  cancelled_steps bigint,
  resolved_manually_steps bigint,
  total_steps bigint
)
language sql stable set search_path to '' as $$
  select k.*, s.*
  from (
    select count(*) filter (where t.state = 'pending') as pending,
      count(*) filter (where t.state = 'initializing') as initializing,
      count(*) filter (where t.state = 'enqueuing_steps') as enqueuing_steps,
      count(*) filter (where t.state = 'steps_in_process') as steps_in_process,
      count(*) filter (where t.state = 'evaluating_results') as evaluating_results,
      count(*) filter (where t.state = 'waiting_for_dependencies') as waiting_for_dependencies,
      count(*) filter (where t.state = 'waiting_for_retry') as waiting_for_retry,
      count(*) filter (where t.state = 'blocked_by_failures') as blocked_by_failures,
      count(*) filter (where t.state = 'complete') as complete,
      count(*) filter (where t.state = 'error') as error,
      count(*) filter (where t.state = 'cancelled') as cancelled,
      count(*) filter (where t.state = 'resolved_manually') as resolved_manually,
      count(*) as total
    from tasker_core.tasks t
  ) k
  cross join (
    select count(*) filter (where w.state = 'pending') as pending,
      count(*) filter (where w.state = 'enqueued') as enqueued,
      count(*) filter (where w.state = 'in_progress') as in_progress,
      count(*) filter (where w.state = 'enqueued_for_orchestration') as enqueued_for_orchestration,
      count(*) filter (where w.state = 'enqueued_as_error_for_orchestration') as enqueued_as_error_for_orchestration,
      count(*) filter (where w.state = 'waiting_for_retry') as waiting_for_retry,
      count(*) filter (where w.state = 'complete') as complete,
      count(*) filter (where w.state = 'error') as error,
      count(*) filter (where w.state = 'cancelled') as cancelled,
      count(*) filter (where w.state = 'resolved_manually') as resolved_manually,
      count(*) as total
    from tasker_core.steps w
  ) s
$$;
