-- purpose: investigation records of tasks that went stale or lost a step for good. They hold no messages: resolving one
--          changes nothing but the record. original_state is the task's state when the record was made.
create type tasker.dlq_reason as enum (
  'staleness_timeout', 'max_retries_exceeded', 'dependency_cycle_detected', 'worker_unavailable', 'manual_dlq'
);

create type tasker.dlq_resolution_status as enum (
  'pending', 'manually_resolved', 'permanently_failed', 'cancelled'
);

create table tasker_core.tasks_dlq (
  dlq_entry_uuid uuid primary key,
  task_id bigint not null,
  original_state varchar(50) not null,
  dlq_reason tasker.dlq_reason not null,
  dlq_timestamp timestamptz not null,
  resolution_status tasker.dlq_resolution_status not null default 'pending',
  resolution_timestamp timestamptz,
  resolution_notes text,
  resolved_by varchar(255),
  task_snapshot jsonb not null,
  metadata jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create unique index one_pending_dlq_entry_per_task on tasker_core.tasks_dlq (task_id) where resolution_status = 'pending';
create index tasks_dlq_by_task on tasker_core.tasks_dlq (task_id, dlq_timestamp);
