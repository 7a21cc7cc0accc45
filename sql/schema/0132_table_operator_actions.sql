-- purpose: who acted by hand on a task or a step, when and why. Off the hot path; deleted with its task.
create table tasker_core.operator_actions (
  action_id bigint generated always as identity primary key,
  at timestamptz not null,
  action text not null,
  task_id bigint not null,
  step_id bigint,
  from_state text not null,
  to_state text not null,
  actor text not null,
  reason text,
  metadata jsonb,  -- what an outside caller gave with it
  constraint action_is_known check (
    action in ('cancel_task', 'resolve_task', 'expire_task', 'reset_step', 'resolve_step', 'complete_step', 'cancel_step')),
  constraint step_actions_name_their_step check ((action like '%\_step') = (step_id is not null))
);
create index operator_actions_by_task on tasker_core.operator_actions (task_id);
