-- purpose: where a task comes to rest after its counters changed (contract/states.md sections 4, 5 and 7).
--          p_enqueued: this call enqueued steps of the task.
create function tasker_core._next_task_state(
  p_from tasker_core.task_state, p_n_total integer, p_n_complete integer, p_n_cancelled integer,
  p_n_error integer, p_n_pipeline integer, p_enqueued boolean
) returns tasker_core.task_state
language sql immutable parallel safe
as $$
  select case
    when p_from in ('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures') then p_from
    when p_n_error > 0 then 'blocked_by_failures'
    when p_enqueued then 'steps_in_process'
    when p_n_pipeline > 0 then 'evaluating_results'
    when p_n_complete + p_n_cancelled = p_n_total and p_n_complete > 0 then 'complete'
    else 'waiting_for_dependencies'
  end::tasker_core.task_state
$$;
