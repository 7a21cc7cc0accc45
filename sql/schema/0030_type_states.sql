-- purpose: state names of contract/states.md sections 1 and 2, in the contract's order.
create type tasker_core.task_state as enum (
  'pending', 'initializing', 'enqueuing_steps', 'steps_in_process', 'evaluating_results',
  'waiting_for_dependencies', 'waiting_for_retry', 'blocked_by_failures',
  'complete', 'error', 'cancelled', 'resolved_manually'
);

create type tasker_core.step_state as enum (
  'pending', 'enqueued', 'in_progress',
  'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration',
  'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually'
);

create type tasker.identity_strategy as enum ('strict', 'caller_provided', 'always_unique');

create type tasker_core.backoff_kind as enum ('none', 'linear', 'exponential', 'fibonacci');
