-- purpose: the hot part of a task: state and counters. What never changes lives in task_requests, so that an update
--          copies a narrow row. Execution status is computed from the counters; recount_task() checks them.
create sequence tasker_core.task_id_seq as bigint cache 1;

create table tasker_core.tasks (
  task_id bigint primary key,
  template_id integer not null,
  state tasker_core.task_state not null,
  n_total integer not null,
  n_complete integer not null default 0,   -- complete and resolved_manually
  n_cancelled integer not null default 0,
  n_error integer not null default 0,
  n_pipeline integer not null default 0,   -- enqueued, in_progress and both enqueued_*_orchestration
  n_waiting_retry integer not null default 0,
  -- Ordinal of the next step made at run time; those below it belong to the template.
  next_ordinal integer not null,
  -- Raised when a stored result is replaced by hand: caches of results are keyed by it.
  data_epoch integer not null default 0,
  state_since timestamptz not null,
  completed_at timestamptz,
  constraint counters_are_not_negative check (
    least(n_total, n_complete, n_cancelled, n_error, n_pipeline, n_waiting_retry) >= 0
  ),
  constraint counters_fit_the_total check (
    n_complete + n_cancelled + n_error + n_pipeline + n_waiting_retry <= n_total
  )
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

create table tasker_core.task_requests (
  task_id bigint primary key,
  task_uuid uuid not null,
  named_task_id integer not null,
  correlation_id uuid not null,
  parent_correlation_id uuid,
  priority integer not null,
  requested_at timestamptz not null,
  created_at timestamptz not null,
  initiator varchar(128) not null,
  source_system varchar(128) not null,
  reason varchar(128) not null,
  tags json not null,
  context json not null,
  identity_hash varchar(128) not null,
  constraint task_uuid_is_unique unique (task_uuid)
);

-- Separate, so that retention can forget a task and its identity together without an index on the hot table.
create table tasker_core.task_identities (
  identity_hash text primary key,
  task_id bigint not null
);
