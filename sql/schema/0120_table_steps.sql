-- purpose: the state of every step. step_id = task_id * 2^20 + ordinal, so a step's task and its template children are
--          arithmetic. No secondary index: every update must stay heap-only.
create table tasker_core.steps (
  step_id bigint primary key,
  template_step_id bigint not null,
  -- Where its message is: the queue of its namespace for the task's priority, see queue_id.
  queue_id integer not null,
  callable_id integer not null,
  state tasker_core.step_state not null,
  pending_dependencies integer not null,
  attempts integer not null default 0,
  max_attempts integer not null,
  retryable boolean not null,
  -- The fence: raised by every claim and every loss of a lease. A result is accepted only with the current token.
  lease_token integer not null default 0,
  worker_id integer,
  leased_until timestamptz,
  message_id bigint,
  -- Deaths of the process while the step ran alone in it, and lease expiries. solo: run alone from now on.
  deaths smallint not null default 0,
  solo boolean not null default false,
  last_attempted_at timestamptz,
  -- What last_attempted_at was before the current claim: handlers are shown the row as it was then.
  previous_attempt_at timestamptz,
  backoff_seconds integer,
  processed_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Set only for steps made at run time (batch workers); template steps take both from the template.
  name text,
  inputs json,
  -- Its final error counts as done for the task and satisfies its dependents: workers of a batch that goes on.
  failure_tolerated boolean not null default false,
  constraint pending_dependencies_are_not_negative check (pending_dependencies >= 0),
  constraint a_running_step_has_a_lease check (state <> 'in_progress' or leased_until is not null)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Edges made at run time. Edges of the template are not stored again for every task. Those named batch_turn only keep a
-- worker of a batch waiting for its turn (docs/decisions/0005): they are no dependencies, and readers leave them out.
create table tasker_core.step_edges (
  from_id bigint not null,
  to_id bigint not null,
  name text not null,
  created_at timestamptz not null,
  constraint one_edge_of_a_name_between_two_steps primary key (from_id, to_id, name)
);

create index step_edges_to on tasker_core.step_edges (to_id);

-- Due times of retries. Narrow and separate, so that no index names a column of steps that changes.
create table tasker_core.step_timers (
  step_id bigint primary key,
  due_at timestamptz not null,
  kind text not null
);
create index step_timers_due_at on tasker_core.step_timers (due_at);

-- The progress that a step last yielded; kept when it completes. Not a column of steps: hot functions gather whole step
-- rows, and would read a large checkpoint on every renewal of a lease. history: {cursor, timestamp} of each yield,
-- oldest first, bounded by whoever stores it.
create table tasker_core.step_checkpoints (
  step_id bigint primary key,
  stored_at timestamptz not null,
  cursor json,
  items_processed bigint not null,
  accumulated_results json,
  history json[] not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
