-- purpose: the audit trail, append-only, one row per move, no index on the hot side but the identity that orders it.
create table tasker_core.step_log (
  log_id bigint generated always as identity,
  step_id bigint not null,
  at timestamptz not null,
  move tasker_core.step_move not null,
  worker_id integer
);

create table tasker_core.task_log (
  log_id bigint generated always as identity,
  task_id bigint not null,
  at timestamptz not null,
  from_state tasker_core.task_state,
  to_state tasker_core.task_state not null,
  worker_id integer
);
