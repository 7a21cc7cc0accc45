-- compatible
-- Generated from sql/schema by scripts/schema-to-migration.mjs until the first release.

-- 0020_schema_tasker.sql
-- purpose: `tasker` is the contract's surface (views and functions for outside readers);
--          `tasker_core` holds the physical tables and hot functions. The migration runner creates tasker_core.
create schema tasker;

-- 0030_type_states.sql
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

-- 0031_type_step_move.sql
-- purpose: a move is the run of transitions that one call makes a step do in one transaction. The log stores one
--          row per move instead of one per transition (a third of the rows); readers expand it through step_moves.
create type tasker_core.step_move as enum (
  'created', 'enqueue', 'hand_off', 'claim', 'redeliver', 'checkpoint',
  'submit_success', 'submit_error', 'settle_success', 'settle_retry', 'settle_error',
  'succeed', 'retry_later', 'fail', 'retry_enqueue', 'retry_hand_off',
  'cancel', 'reset', 'resolve_by_hand', 'complete_by_hand'
);

-- 0032_type_tick_row.sql
-- purpose: what the hot functions report back, one row per fact. Columns that a kind does not use are null.
--   verdict     step_id, token, status (committed | stale)
--   claim       everything but status; attempts includes the attempt that starts now; number is the task's data_epoch
--   unroutable  as claim: no live worker registers the callable and the wait is over; the host fails it
--   poisoned    as claim: the step killed its process max_deaths times; the host fails it
--   task        task_id, status (the state the task has come to rest in)
--   timer       due_in_ms until the next retry is due; no row when none is waiting
--   queued      number of steps that were enqueued without being handed to the caller
--   scanned     number of messages that the queue scan read (a full scan means there is more); attempts: the highest
--               class (queue_id) that may have more, null when none has
--   woken       number of sleeping hosts that the commit of this call notifies
--   refused_event  step_id, status (why), number (place among the events of the call): a domain event left out
create type tasker_core.tick_row as (
  kind text,
  step_id bigint,
  task_id bigint,
  template_step_id bigint,
  token integer,
  attempts integer,
  deaths integer,
  solo boolean,
  status text,
  last_attempted_at timestamptz,
  backoff_seconds integer,
  created_at timestamptz,
  number bigint
);

-- 0100_table_namespaces.sql
-- purpose: a namespace groups templates; each has a worker queue `worker_<name>_queue`, and one beside it
--          for tasks of high and one for tasks of low priority (create_namespace_queues).
create table tasker_core.namespaces (
  namespace_id integer generated always as identity primary key,
  namespace_uuid uuid not null,
  name varchar(64) not null unique,
  description varchar(255),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint name_fits_a_queue_name check (name ~ '^[A-Za-z0-9_]{1,29}$')
);

-- A callable is the lookup key of a handler; workers claim by the set of callables they can run.
create table tasker_core.callables (
  callable_id integer generated always as identity primary key,
  name text not null unique
);

-- Named steps are global names in the contract: one row per step name, shared by all templates.
create table tasker_core.named_steps (
  named_step_id integer generated always as identity primary key,
  named_step_uuid uuid not null,
  name varchar(128) not null unique,
  created_at timestamptz not null
);

-- 0101_table_templates.sql
-- purpose: a named task is what the contract identifies by (namespace, name, version). Registering changed content
--          under the same version makes a new template revision; running tasks keep the revision they started with.
create table tasker_core.named_tasks (
  named_task_id integer generated always as identity primary key,
  named_task_uuid uuid not null unique,
  namespace_id integer not null references tasker_core.namespaces,
  name varchar(64) not null,
  version varchar(16) not null default '0.1.0',
  description varchar(255),
  configuration jsonb not null,
  identity_strategy tasker.identity_strategy not null default 'strict',
  current_template_id integer,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint one_version_of_a_name_in_a_namespace unique (namespace_id, name, version)
);

create table tasker_core.templates (
  template_id integer generated always as identity primary key,
  named_task_id integer not null references tasker_core.named_tasks,
  namespace_id integer not null,
  content_hash text not null,
  compiled json not null,
  n_steps integer not null,
  n_initial integer not null,
  created_at timestamptz not null,
  constraint one_revision_per_content unique (named_task_id, content_hash)
);

-- One row per step of a template. template_step_id = template_id * 2^20 + ordinal; ordinals are in topological order.
create table tasker_core.template_steps (
  template_step_id bigint primary key,
  name text not null,
  named_step_id integer not null references tasker_core.named_steps,
  callable_id integer not null references tasker_core.callables,
  step_type text not null,
  initial boolean not null,
  pending_dependencies integer not null,
  dependencies integer[] not null,
  -- Of a step created at the start: its children that are too. Every other edge is a row of step_edges.
  children integer[] not null,
  -- Exists from the start and may get children made at run time.
  late_children boolean not null,
  retryable boolean not null,
  max_attempts integer not null,
  backoff tasker_core.backoff_kind not null,
  backoff_base_ms integer not null,
  backoff_cap_ms integer not null,
  backoff_multiplier double precision not null,
  backoff_jitter double precision not null
);

-- 0110_table_tasks.sql
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

-- 0120_table_steps.sql
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

-- 0121_table_step_results.sql
-- purpose: accepted results, append-only. `body` is the contract's whole step execution result, kept as json text:
--          jsonb would turn 1e16 into an integer and lose key order.
create table tasker_core.step_results (
  step_id bigint not null,
  token integer not null,
  recorded_at timestamptz not null,
  worker_id integer not null,
  success boolean not null,
  retryable boolean not null,
  hint_ms integer,
  execution_ms integer not null,
  -- What the result creates (core/src/lifecycle/plans); kept until the step is settled in split mode.
  plan json,
  body json not null,
  constraint one_result_per_lease primary key (step_id, token)
);

-- 0130_table_logs.sql
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

-- 0131_table_transitions.sql
-- purpose: the transition tables of contract/states.md sections 1 and 2, and the moves built from them. A move that is
--          not a chain of listed transitions cannot be inserted. test/sql compares these rows with TypeScript and the docs.
create table tasker_core.task_transition_rules (
  from_state tasker_core.task_state not null,
  event text not null,
  to_state tasker_core.task_state not null,
  primary key (from_state, event, to_state)
);

insert into tasker_core.task_transition_rules (from_state, event, to_state) values
  ('pending', 'Start', 'initializing'),
  ('initializing', 'ReadyStepsFound', 'enqueuing_steps'),
  ('initializing', 'NoStepsFound', 'complete'),
  ('initializing', 'NoDependenciesReady', 'waiting_for_dependencies'),
  ('enqueuing_steps', 'StepsEnqueued', 'steps_in_process'),
  ('enqueuing_steps', 'EnqueueFailed', 'error'),
  ('steps_in_process', 'StepCompleted', 'evaluating_results'),
  ('steps_in_process', 'AllStepsCompleted', 'evaluating_results'),
  ('steps_in_process', 'StepFailed', 'waiting_for_retry'),
  ('steps_in_process', 'Complete', 'complete'),
  ('steps_in_process', 'Fail', 'error'),
  ('evaluating_results', 'AllStepsSuccessful', 'complete'),
  ('evaluating_results', 'ReadyStepsFound', 'enqueuing_steps'),
  ('evaluating_results', 'NoDependenciesReady', 'waiting_for_dependencies'),
  ('evaluating_results', 'PermanentFailure', 'blocked_by_failures'),
  ('waiting_for_dependencies', 'DependenciesReady', 'evaluating_results'),
  ('waiting_for_retry', 'RetryReady', 'enqueuing_steps'),
  ('blocked_by_failures', 'GiveUp', 'error'),
  -- Ours: no step is in error any more, after an operator acted on one.
  ('blocked_by_failures', 'FailuresCleared', 'evaluating_results'),
  -- Ours: the task stood still for longer than its limits allow. In steps_in_process that is Fail.
  ('evaluating_results', 'TimedOut', 'error'),
  ('waiting_for_dependencies', 'TimedOut', 'error'),
  ('waiting_for_retry', 'TimedOut', 'error'),
  ('blocked_by_failures', 'ManualResolution', 'resolved_manually');

insert into tasker_core.task_transition_rules (from_state, event, to_state)
select s.state, e.event, e.to_state
from unnest(enum_range(null::tasker_core.task_state)) as s(state)
cross join (values
  ('Cancel', 'cancelled'::tasker_core.task_state),
  ('ResolveManually', 'resolved_manually'::tasker_core.task_state)
) as e(event, to_state)
where s.state not in ('complete', 'error', 'cancelled', 'resolved_manually');

create table tasker_core.step_transition_rules (
  from_state tasker_core.step_state not null,
  event text not null,
  to_state tasker_core.step_state not null,
  primary key (from_state, event)
);

insert into tasker_core.step_transition_rules (from_state, event, to_state) values
  ('pending', 'Enqueue', 'enqueued'),
  ('enqueued', 'Start', 'in_progress'),
  ('pending', 'Start', 'in_progress'),
  ('in_progress', 'EnqueueForOrchestration', 'enqueued_for_orchestration'),
  ('in_progress', 'EnqueueAsErrorForOrchestration', 'enqueued_as_error_for_orchestration'),
  ('enqueued_for_orchestration', 'Complete', 'complete'),
  ('enqueued_as_error_for_orchestration', 'Complete', 'complete'),
  ('in_progress', 'Complete', 'complete'),
  ('enqueued_for_orchestration', 'Fail', 'error'),
  ('enqueued_as_error_for_orchestration', 'Fail', 'error'),
  ('in_progress', 'Fail', 'error'),
  ('pending', 'Fail', 'error'),
  ('enqueued', 'Fail', 'error'),
  ('pending', 'WaitForRetry', 'waiting_for_retry'),
  ('enqueued', 'WaitForRetry', 'waiting_for_retry'),
  ('in_progress', 'WaitForRetry', 'waiting_for_retry'),
  ('enqueued_as_error_for_orchestration', 'WaitForRetry', 'waiting_for_retry'),
  ('waiting_for_retry', 'Retry', 'pending'),
  ('error', 'Retry', 'pending'),
  ('error', 'ResetForRetry', 'pending'),
  ('pending', 'Cancel', 'cancelled'),
  ('enqueued', 'Cancel', 'cancelled'),
  ('in_progress', 'Cancel', 'cancelled'),
  ('enqueued_for_orchestration', 'Cancel', 'cancelled'),
  ('enqueued_as_error_for_orchestration', 'Cancel', 'cancelled'),
  ('error', 'Cancel', 'cancelled'),
  ('waiting_for_retry', 'Cancel', 'cancelled');

insert into tasker_core.step_transition_rules (from_state, event, to_state)
select s.state, e.event, e.to_state
from unnest(enum_range(null::tasker_core.step_state)) as s(state)
cross join (values
  ('CompleteManually', 'complete'::tasker_core.step_state),
  ('ResolveManually', 'resolved_manually'::tasker_core.step_state)
) as e(event, to_state);

-- A path may start from any state in from_states (null: the step did not exist) and runs through `path`.
create table tasker_core.step_moves (
  move tasker_core.step_move primary key,
  from_states tasker_core.step_state[],
  path tasker_core.step_state[] not null,
  events text[] not null
);

-- A task's path is decided by where it was and where it comes to rest.
create table tasker_core.task_moves (
  from_state tasker_core.task_state,
  to_state tasker_core.task_state not null,
  path tasker_core.task_state[] not null,
  events text[] not null,
  constraint one_path_between_two_states unique nulls not distinct (from_state, to_state)
);

create function tasker_core._refuse_illegal_step_move() returns trigger
language plpgsql set search_path to '' as $$
declare
  v_from tasker_core.step_state;
  v_previous tasker_core.step_state;
begin
  if cardinality(new.path) <> cardinality(new.events) then
    raise exception 'step move % needs one event per state of its path', new.move using errcode = 'TK001';
  end if;
  foreach v_from in array coalesce(new.from_states, array[null]::tasker_core.step_state[]) loop
    v_previous := v_from;
    for i in 1 .. cardinality(new.path) loop
      -- A new step appears as pending; nothing precedes it.
      if not (v_previous is null and new.path[i] = 'pending') and not exists (
        select from tasker_core.step_transition_rules r
        where r.from_state = v_previous and r.event = new.events[i] and r.to_state = new.path[i]
      ) then
        raise exception 'step move %: % -%-> % is not in the transition table',
          new.move, v_previous, new.events[i], new.path[i] using errcode = 'TK001';
      end if;
      v_previous := new.path[i];
    end loop;
  end loop;
  return new;
end $$;

create function tasker_core._refuse_illegal_task_move() returns trigger
language plpgsql set search_path to '' as $$
declare
  v_previous tasker_core.task_state := new.from_state;
begin
  if cardinality(new.path) <> cardinality(new.events) or new.path[cardinality(new.path)] <> new.to_state then
    raise exception 'task move % -> % does not end where it says', new.from_state, new.to_state using errcode = 'TK001';
  end if;
  for i in 1 .. cardinality(new.path) loop
    if not (v_previous is null and new.path[i] = 'pending') and not exists (
      select from tasker_core.task_transition_rules r
      where r.from_state = v_previous and r.event = new.events[i] and r.to_state = new.path[i]
    ) then
      raise exception 'task move % -> %: % -%-> % is not in the transition table',
        new.from_state, new.to_state, v_previous, new.events[i], new.path[i] using errcode = 'TK001';
    end if;
    v_previous := new.path[i];
  end loop;
  return new;
end $$;

create trigger step_moves_are_legal before insert or update on tasker_core.step_moves
for each row execute function tasker_core._refuse_illegal_step_move();

create trigger task_moves_are_legal before insert or update on tasker_core.task_moves
for each row execute function tasker_core._refuse_illegal_task_move();

insert into tasker_core.step_moves (move, from_states, path, events) values
  ('created', null, '{pending}', '{Created}'),
  ('enqueue', '{pending}', '{enqueued}', '{Enqueue}'),
  ('hand_off', '{pending}', '{enqueued,in_progress}', '{Enqueue,Start}'),
  ('claim', '{enqueued}', '{in_progress}', '{Start}'),
  -- The lease moved to another attempt of the same delivery: no transition, but the trail shows who took over.
  ('redeliver', '{in_progress}', '{}', '{}'),
  -- The step has stored its progress and goes on under a new lease: no transition either.
  ('checkpoint', '{in_progress}', '{}', '{}'),
  ('submit_success', '{in_progress}', '{enqueued_for_orchestration}', '{EnqueueForOrchestration}'),
  ('submit_error', '{in_progress}', '{enqueued_as_error_for_orchestration}', '{EnqueueAsErrorForOrchestration}'),
  ('settle_success', '{enqueued_for_orchestration}', '{complete}', '{Complete}'),
  ('settle_retry', '{enqueued_as_error_for_orchestration}', '{waiting_for_retry}', '{WaitForRetry}'),
  ('settle_error', '{enqueued_as_error_for_orchestration}', '{error}', '{Fail}'),
  ('succeed', '{in_progress}', '{enqueued_for_orchestration,complete}', '{EnqueueForOrchestration,Complete}'),
  ('retry_later', '{in_progress}', '{enqueued_as_error_for_orchestration,waiting_for_retry}',
    '{EnqueueAsErrorForOrchestration,WaitForRetry}'),
  ('fail', '{in_progress}', '{enqueued_as_error_for_orchestration,error}', '{EnqueueAsErrorForOrchestration,Fail}'),
  ('retry_enqueue', '{waiting_for_retry}', '{pending,enqueued}', '{Retry,Enqueue}'),
  ('retry_hand_off', '{waiting_for_retry}', '{pending,enqueued,in_progress}', '{Retry,Enqueue,Start}'),
  ('cancel', '{pending,enqueued,in_progress,enqueued_for_orchestration,enqueued_as_error_for_orchestration,waiting_for_retry,error}',
    '{cancelled}', '{Cancel}'),
  ('reset', '{error}', '{pending}', '{ResetForRetry}'),
  ('resolve_by_hand', enum_range(null::tasker_core.step_state), '{resolved_manually}', '{ResolveManually}'),
  ('complete_by_hand', enum_range(null::tasker_core.step_state), '{complete}', '{CompleteManually}');

insert into tasker_core.task_moves (from_state, to_state, path, events) values
  (null, 'steps_in_process', '{pending,initializing,enqueuing_steps,steps_in_process}',
    '{Created,Start,ReadyStepsFound,StepsEnqueued}'),
  (null, 'complete', '{pending,initializing,complete}', '{Created,Start,NoStepsFound}'),
  (null, 'waiting_for_dependencies', '{pending,initializing,waiting_for_dependencies}',
    '{Created,Start,NoDependenciesReady}'),
  ('steps_in_process', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{StepCompleted,ReadyStepsFound,StepsEnqueued}'),
  ('steps_in_process', 'evaluating_results', '{evaluating_results}', '{StepCompleted}'),
  ('steps_in_process', 'complete', '{evaluating_results,complete}', '{StepCompleted,AllStepsSuccessful}'),
  ('steps_in_process', 'waiting_for_dependencies', '{evaluating_results,waiting_for_dependencies}',
    '{StepCompleted,NoDependenciesReady}'),
  ('steps_in_process', 'blocked_by_failures', '{evaluating_results,blocked_by_failures}',
    '{StepCompleted,PermanentFailure}'),
  ('evaluating_results', 'steps_in_process', '{enqueuing_steps,steps_in_process}', '{ReadyStepsFound,StepsEnqueued}'),
  ('evaluating_results', 'complete', '{complete}', '{AllStepsSuccessful}'),
  ('evaluating_results', 'waiting_for_dependencies', '{waiting_for_dependencies}', '{NoDependenciesReady}'),
  ('evaluating_results', 'blocked_by_failures', '{blocked_by_failures}', '{PermanentFailure}'),
  ('waiting_for_dependencies', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{DependenciesReady,ReadyStepsFound,StepsEnqueued}'),
  -- After an operator's action on a step.
  ('waiting_for_dependencies', 'complete', '{evaluating_results,complete}', '{DependenciesReady,AllStepsSuccessful}'),
  ('blocked_by_failures', 'steps_in_process', '{evaluating_results,enqueuing_steps,steps_in_process}',
    '{FailuresCleared,ReadyStepsFound,StepsEnqueued}'),
  ('blocked_by_failures', 'evaluating_results', '{evaluating_results}', '{FailuresCleared}'),
  ('blocked_by_failures', 'complete', '{evaluating_results,complete}', '{FailuresCleared,AllStepsSuccessful}'),
  ('blocked_by_failures', 'waiting_for_dependencies', '{evaluating_results,waiting_for_dependencies}',
    '{FailuresCleared,NoDependenciesReady}');

insert into tasker_core.task_moves (from_state, to_state, path, events)
select r.from_state, r.to_state, array[r.to_state], array[r.event]
from tasker_core.task_transition_rules r
where r.event in ('Cancel', 'ResolveManually', 'TimedOut', 'GiveUp', 'EnqueueFailed')
  or (r.from_state = 'steps_in_process' and r.event = 'Fail');

-- 0132_table_operator_actions.sql
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

-- 0133_table_tasks_dlq.sql
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

-- 0140_table_workers.sql
-- purpose: who serves what. worker_id is short so that step rows stay narrow; the name is for people.
create table tasker_core.workers (
  worker_id integer generated always as identity primary key,
  worker_uuid uuid not null unique,
  name text not null,
  hostname text not null,
  pid integer not null,
  registered_at timestamptz not null,
  last_seen_at timestamptz not null,
  stopped_at timestamptz
);

create table tasker_core.worker_callables (
  worker_id integer not null references tasker_core.workers on delete cascade,
  callable_id integer not null references tasker_core.callables,
  primary key (worker_id, callable_id)
);
create index worker_callables_by_callable on tasker_core.worker_callables (callable_id);

-- Workers that sleep and want a NOTIFY on their channel. The row is the coalescing: whoever wakes one deletes it.
create unlogged table tasker_core.idle_workers (
  worker_id integer primary key,
  namespace_ids integer[] not null
);

-- 0150_queue_orchestration.sql
-- purpose: the orchestration queues of the contract (wire-types.md section 6). Split mode passes results through the first.
select pgmq.create('orchestration_step_results');
select pgmq.create('orchestration_task_requests');
select pgmq.create('orchestration_task_finalizations');

-- 0200_function_now.sql
-- purpose: the clock of every function. Tests set it: set tasker.now = '2026-01-02 03:04:05+00'.
create function tasker.now() returns timestamptz
language sql stable parallel safe
as $$
  select coalesce(nullif(current_setting('tasker.now', true), '')::timestamptz, clock_timestamp())
$$;

-- 0201_function_step_ids.sql
-- purpose: a step's public id is arithmetic, so it needs no index: the first 64 bits (time, version 7, random) are its
--          task's, the last 62 are its step_id. Twin of core/src/model/ids.ts; test/sql compares them.
create function tasker_core.step_uuid(p_task_uuid uuid, p_step_id bigint) returns uuid
language sql immutable parallel safe
as $$
  select (
    left(p_task_uuid::text, 18) || '-'
    || left(to_hex(p_step_id | 'x8000000000000000'::bit(64)::bigint), 4) || '-'
    || right(to_hex(p_step_id | 'x8000000000000000'::bit(64)::bigint), 12)
  )::uuid
$$;

create function tasker_core.step_id_of(p_step_uuid uuid) returns bigint
language sql immutable strict parallel safe
as $$
  select ('x' || replace(right(p_step_uuid::text, 17), '-', ''))::bit(64)::bigint & 4611686018427387903
$$;

-- The bytes of one body out of a batch: bodies are concatenated, p_ends[i] is where body i ends (cumulative).
-- Stable, as the cast is: declared immutable it would not be inlined, at twice the cost.
create function tasker_core._body(p_bodies bytea, p_ends integer[], p_index integer) returns json
language sql stable parallel safe
as $$
  select convert_from(
    substring(
      p_bodies
      from case when p_index = 1 then 1 else p_ends[p_index - 1] + 1 end
      for p_ends[p_index] - case when p_index = 1 then 0 else p_ends[p_index - 1] end
    ), 'UTF8'
  )::json
$$;

-- The step that a queue message names; null for a message that names none, which nobody can serve.
create function tasker_core.step_id_in(p_message jsonb) returns bigint
language sql immutable parallel safe
as $$
  select case when p_message ->> 'step_uuid' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then tasker_core.step_id_of((p_message ->> 'step_uuid')::uuid) end
$$;

-- 0202_function_backoff.sql
-- purpose: delay before the next attempt, in milliseconds, without jitter (contract/states.md section 10).
--          p_attempts: attempts made, the failed one included.
create function tasker_core.backoff_ms(
  p_kind tasker_core.backoff_kind, p_base_ms integer, p_cap_ms integer,
  p_multiplier double precision, p_attempts integer
) returns bigint
language plpgsql immutable parallel safe set search_path to ''
as $$
declare
  v_previous double precision := 1;
  v_current double precision := 1;
  v_next double precision;
  v_delay double precision;
begin
  case p_kind
    when 'none' then v_delay := 0;
    when 'linear' then v_delay := p_base_ms::double precision * p_attempts;
    when 'exponential' then
      -- Past 64 doublings every cap is exceeded; the bound keeps power() finite.
      v_delay := p_base_ms * power(p_multiplier, least(p_attempts, 64));
    when 'fibonacci' then
      for i in 2 .. least(p_attempts, 90) loop
        v_next := v_previous + v_current;
        v_previous := v_current;
        v_current := v_next;
      end loop;
      v_delay := p_base_ms * v_current;
  end case;
  return floor(least(v_delay, p_cap_ms))::bigint;
end $$;

-- 0203_function_next_task_state.sql
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

-- 0204_function_priority_classes.sql
-- purpose: a priority above 0 is class 2 (hi), below 0 class 0 (lo), and 0 class 1 (normal). Every namespace has a queue
--          per class; a queue's id says which: queue_id = namespace_id * 4 + class.
create function tasker_core.queue_id(p_namespace_id integer, p_priority integer) returns integer
language sql immutable parallel safe
as $$ select p_namespace_id * 4 + 1 + sign(p_priority)::integer $$;

create function tasker_core._queue_name(p_namespace text, p_queue_id integer) returns text
language sql immutable parallel safe
as $$ select 'worker_' || p_namespace || (array['_lo', '', '_hi'])[(p_queue_id & 3) + 1] || '_queue' $$;

-- Claims go round in cycles of ten: hi hi normal hi normal hi hi normal hi lo, which is 6 : 3 : 1 over any ten in a row.

-- How many of the p_count claims behind the first p_turn are p_class's. p_weights: of the classes 0, 1, 2 that share them
-- ({1,3,6}; 0 for one that has nothing to claim, so that the others' cycle is shorter).
create function tasker_core._class_share(p_class integer, p_count integer, p_turn bigint, p_weights integer[])
returns integer
language plpgsql immutable parallel safe set search_path to '' as $$
declare
  v_cycle integer := p_weights[1] + p_weights[2] + p_weights[3];
  v_above integer := case p_class when 0 then p_weights[1] when 1 then p_weights[1] + p_weights[2] else v_cycle end;
  v_below integer := v_above - p_weights[p_class + 1];
  v_from bigint := p_turn % v_cycle;
  v_to bigint := v_from + p_count;
begin
  return (v_to * v_above / v_cycle - v_from * v_above / v_cycle) - (v_to * v_below / v_cycle - v_from * v_below / v_cycle);
end $$;

-- Whose turn comes when: the place in the order of claims of the p_nth of a class. A bare expression, so that it is
-- inlined: claim_steps asks for every step that it has read.
create function tasker_core._class_place(p_class integer, p_nth bigint) returns bigint
language sql immutable parallel safe
as $$
  select case p_class
    when 0 then 10 * p_nth
    when 1 then 10 * ((p_nth - 1) / 3) + (array[3, 5, 8])[(p_nth - 1) % 3 + 1]
    else 10 * ((p_nth - 1) / 6) + (array[1, 2, 4, 6, 7, 9])[(p_nth - 1) % 6 + 1]
  end
$$;

-- 0210_function_create_queue.sql
-- purpose: makes a queue of steps and its own static functions: a function that names its table literally has a cached
--          plan, a dynamic statement would be planned on every call.
-- generated for queue N (see queue_id):
--   _queue_N_send(step ids, task uuids, correlation ids, callable ids, vt) -> message ids, in the order given
--   _queue_N_read(limit, callables, after)  visible messages for these callables behind the message `after`, oldest
--                              first, locked; messages that others hold are skipped. A message without the header
--                              `callable` (sent by somebody else) is read by all
--   _queue_N_orphans(limit, callables, before)  as read, but for callables other than these, enqueued before
--   _queue_N_route(ids, callables)   gives messages their header
--   _queue_N_delete(ids)       \ both skip messages that another transaction holds: whoever holds one is about to look
--   _queue_N_set_vt(ids, vt)   / at the step row, which this transaction has locked, and will see what it says
--   _queue_N_held()            messages that are leased
--   _queue_N_missing(ids)      which of these messages there are not
-- locks: messages only. The order message -> step -> task holds because nothing here waits for a message.
create function tasker_core.create_queue(p_queue_id integer, p_queue text) returns void
language plpgsql set search_path to '' as $$
declare
  v_table text := format('pgmq.%I', 'q_' || lower(p_queue));
  v_sequence text;
  v_prefix text := 'tasker_core._queue_' || p_queue_id;
begin
  perform pgmq.create(p_queue);
  v_sequence := pg_get_serial_sequence(v_table, 'msg_id');
  execute format($fn$
    create or replace function %1$s_send(
      p_step_ids bigint[], p_task_uuids uuid[], p_correlation_ids uuid[], p_callable_ids integer[], p_vt timestamptz
    ) returns bigint[] language plpgsql set search_path to '' as $body$
    declare v_ids bigint[];
    begin
      select array_agg(nextval(%3$L::regclass)) into v_ids from generate_series(1, cardinality(p_step_ids));
      insert into %2$s (msg_id, enqueued_at, vt, message, headers) overriding system value
      select v_ids[i], tasker.now(), p_vt, jsonb_build_object(
        'task_uuid', p_task_uuids[i],
        'step_uuid', tasker_core.step_uuid(p_task_uuids[i], p_step_ids[i]),
        'correlation_id', p_correlation_ids[i]), jsonb_build_object('callable', p_callable_ids[i])
      from generate_subscripts(p_step_ids, 1) i;
      return v_ids;
    end $body$
  $fn$, v_prefix, v_table, v_sequence);
  execute format($fn$
    create or replace function %1$s_read(
      p_limit integer, p_callables integer[], p_after bigint, out message_ids bigint[], out step_ids bigint[]
    ) language plpgsql set search_path to '' as $body$
    begin
      select array_agg(x.msg_id), array_agg(tasker_core.step_id_in(x.message)) into message_ids, step_ids
      from (
        select q.msg_id, q.message
        from %2$s q
        where q.vt <= tasker.now() and q.msg_id > p_after
          and coalesce((q.headers ->> 'callable')::integer = any(p_callables), true)
        order by q.msg_id
        limit p_limit
        for update skip locked
      ) x;
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_orphans(p_limit integer, p_callables integer[], p_before timestamptz)
    returns table (msg_id bigint, step_id bigint)
    language plpgsql set search_path to '' as $body$
    begin
      return query
      select q.msg_id, tasker_core.step_id_in(q.message)
      from %2$s q
      where q.vt <= tasker.now() and q.enqueued_at <= p_before
        and not (q.headers ->> 'callable')::integer = any(p_callables)
      order by q.msg_id
      limit p_limit
      for update skip locked;
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_route(p_ids bigint[], p_callable_ids integer[]) returns void
    language plpgsql set search_path to '' as $body$
    begin
      update %2$s q set headers = coalesce(q.headers, '{}') ||
        jsonb_build_object('callable', p_callable_ids[array_position(p_ids, q.msg_id)])
      where q.msg_id = any(p_ids);
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_delete(p_ids bigint[]) returns void
    language plpgsql set search_path to '' as $body$
    begin
      delete from %2$s where msg_id = any(array(
        select q.msg_id from %2$s q where q.msg_id = any(p_ids) for update skip locked));
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_set_vt(p_ids bigint[], p_vt timestamptz) returns void
    language plpgsql set search_path to '' as $body$
    begin
      update %2$s set vt = p_vt where msg_id = any(array(
        select q.msg_id from %2$s q where q.msg_id = any(p_ids) for update skip locked));
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_held() returns table (msg_id bigint, step_id bigint)
    language plpgsql set search_path to '' as $body$
    begin
      return query
      select q.msg_id, tasker_core.step_id_in(q.message)
      from %2$s q where q.vt > tasker.now() and q.message ? 'step_uuid';
    end $body$
  $fn$, v_prefix, v_table);
  execute format($fn$
    create or replace function %1$s_missing(p_ids bigint[]) returns bigint[]
    language plpgsql set search_path to '' as $body$
    begin
      return array(select i from unnest(p_ids) i where not exists (select from %2$s q where q.msg_id = i));
    end $body$
  $fn$, v_prefix, v_table);
end $$;

-- 0211_function_create_namespace_queues.sql
-- purpose: makes a namespace's three queues, worker_<name>_hi_queue, worker_<name>_queue and worker_<name>_lo_queue, and the
--          function that reads them in turn.
-- generated for namespace N:
--   _namespace_N_read(limit, callables, turn)  up to `limit` visible messages as _queue_N_read finds them, shared by the
--                              classes as _class_share says; what a class has not got goes to the others in their
--                              proportion. waiting_class: the highest that had as many as it was asked for: it may have
--                              more. Null when none had.
create function tasker_core.create_namespace_queues(p_namespace_id integer, p_namespace text) returns void
language plpgsql set search_path to '' as $$
declare
  v_base integer := p_namespace_id * 4;
begin
  for v_class in 0 .. 2 loop
    perform tasker_core.create_queue(v_base + v_class, tasker_core._queue_name(p_namespace, v_base + v_class));
  end loop;
  execute format($fn$
    create or replace function tasker_core._namespace_%1$s_read(
      p_limit integer, p_callables integer[], p_turn bigint,
      out queue_ids integer[], out message_ids bigint[], out step_ids bigint[], out waiting_class integer
    ) language plpgsql set search_path to '' as $body$
    declare
      v_class integer;
      v_weights integer[] := '{1,3,6}';   -- 0 once a class has no more
      v_counts integer[] := '{0,0,0}';    -- read so far
      v_after bigint[] := '{0,0,0}';
      v_total integer := 0;
      v_shared integer := p_limit;        -- what the classes that have more share
      v_want integer;
      v_got integer;
      v_messages bigint[];
      v_steps bigint[];
    begin
      if not exists (select from %6$s) and not exists (select from %7$s) then
        -- As it mostly is; the shares need not be reckoned.
        select r.message_ids, r.step_ids into message_ids, step_ids
        from tasker_core._queue_%3$s_read(p_limit, p_callables, 0) r;
        if message_ids is not null then
          v_got := cardinality(message_ids);
          queue_ids := array_fill(%5$s + 1, array[v_got]);
          waiting_class := case when v_got = p_limit then 1 end;
        end if;
        return;
      end if;
      while v_total < p_limit and v_weights <> '{0,0,0}' loop
        -- Normal last: it is the one that is least often empty, and then gets what the others leave at once.
        foreach v_class in array '{2,0,1}'::integer[] loop
          continue when v_weights[v_class + 1] = 0;
          v_want := least(p_limit - v_total,
            tasker_core._class_share(v_class, v_shared, p_turn, v_weights) - v_counts[v_class + 1]);
          continue when v_want <= 0;
          case v_class
            when 2 then select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%2$s_read(v_want, p_callables, v_after[3]) r;
            when 1 then select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%3$s_read(v_want, p_callables, v_after[2]) r;
            else select r.message_ids, r.step_ids into v_messages, v_steps
              from tasker_core._queue_%4$s_read(v_want, p_callables, v_after[1]) r;
          end case;
          v_got := coalesce(cardinality(v_messages), 0);
          v_counts[v_class + 1] := v_counts[v_class + 1] + v_got;
          v_total := v_total + v_got;
          if v_got < v_want then
            v_weights[v_class + 1] := 0;
            v_shared := v_shared - v_counts[v_class + 1];
          else
            v_after[v_class + 1] := v_messages[v_got];
          end if;
          if v_got > 0 then
            queue_ids := queue_ids || array_fill(%5$s + v_class, array[v_got]);
            message_ids := message_ids || v_messages;
            step_ids := step_ids || v_steps;
          end if;
        end loop;
      end loop;
      waiting_class := case
        when v_weights[3] > 0 and v_counts[3] > 0 then 2
        when v_weights[2] > 0 and v_counts[2] > 0 then 1
        when v_weights[1] > 0 and v_counts[1] > 0 then 0
      end;
    end $body$
  $fn$, p_namespace_id, v_base + 2, v_base + 1, v_base, v_base,
    format('pgmq.%I', 'q_' || lower(tasker_core._queue_name(p_namespace, v_base + 2))),
    format('pgmq.%I', 'q_' || lower(tasker_core._queue_name(p_namespace, v_base))));
end $$;

-- Takes messages away; p_message_ids is aligned with p_queue_ids and may have nulls. locks: messages (skip locked).
create function tasker_core._delete_messages(p_queue_ids integer[], p_message_ids bigint[]) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_messages bigint[];
begin
  for v_queue_id, v_messages in
    select m.queue_id, array_agg(m.message_id) from unnest(p_queue_ids, p_message_ids) m(queue_id, message_id)
    where m.message_id is not null group by m.queue_id
  loop
    execute format('select tasker_core._queue_%s_delete($1)', v_queue_id) using v_messages;
  end loop;
end $$;

-- Makes messages visible from p_vt on; as above.
create function tasker_core._show_messages(p_queue_ids integer[], p_message_ids bigint[], p_vt timestamptz) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_messages bigint[];
begin
  for v_queue_id, v_messages in
    select m.queue_id, array_agg(m.message_id) from unnest(p_queue_ids, p_message_ids) m(queue_id, message_id)
    where m.message_id is not null group by m.queue_id
  loop
    execute format('select tasker_core._queue_%s_set_vt($1, $2)', v_queue_id) using v_messages, p_vt;
  end loop;
end $$;

-- 0250_function_within_namespaces.sql
-- purpose: what exists for a caller that is limited to p_namespaces. Null: it is not limited.
create function tasker_core._within(p_namespace text, p_namespaces text[]) returns boolean
language sql immutable parallel safe
return p_namespaces is null or p_namespace = any(p_namespaces);

create function tasker_core._task_within(p_task_id bigint, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select p_namespaces is null or exists (
    select from tasker_core.task_requests r
    join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
    join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
    where r.task_id = p_task_id and ns.name = any(p_namespaces))
$$;

-- 0300_function_register_template.sql
-- purpose: registers a compiled template (core/src/model/compile.ts); the same content again changes nothing.
--          p_template: { namespace, name, version, description, identity_strategy, content_hash, configuration,
--            steps: [{ ordinal, name, callable, type, initial, pending_dependencies, dependencies, children, late_children,
--                      retryable, max_attempts, backoff, backoff_base_ms, backoff_cap_ms, backoff_multiplier,
--                      backoff_jitter }] }
--          p_uuids: uuids made by the application for rows that may have to be created (namespace, named task, then
--          one per step name).
-- locks: one advisory lock per namespace and name, then rows in the order of the statements.
create function tasker_core.register_template(p_template json, p_uuids uuid[])
returns table (template_id integer, namespace_id integer, named_task_id integer, created boolean)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_namespace text := p_template ->> 'namespace';
  v_namespace_id integer;
  v_named_task_id integer;
  v_template_id integer;
  v_created boolean := false;
begin
  perform pg_advisory_xact_lock(hashtextextended('tasker.template.' || v_namespace, 0));

  select n.namespace_id into v_namespace_id from tasker_core.namespaces n where n.name = v_namespace;
  if v_namespace_id is null then
    insert into tasker_core.namespaces (namespace_uuid, name, created_at, updated_at)
    values (p_uuids[1], v_namespace, v_now, v_now)
    returning namespaces.namespace_id into v_namespace_id;
    perform tasker_core.create_namespace_queues(v_namespace_id, v_namespace);
  end if;

  insert into tasker_core.named_tasks as t
    (named_task_uuid, namespace_id, name, version, description, configuration, identity_strategy, created_at, updated_at)
  values (
    p_uuids[2], v_namespace_id, p_template ->> 'name', p_template ->> 'version',
    left(p_template ->> 'description', 255),  -- whole in the configuration
    (p_template -> 'configuration')::jsonb,
    (p_template ->> 'identity_strategy')::tasker.identity_strategy, v_now, v_now
  )
  on conflict on constraint one_version_of_a_name_in_a_namespace do update set
    description = excluded.description, configuration = excluded.configuration,
    identity_strategy = excluded.identity_strategy,
    updated_at = case when t.configuration = excluded.configuration then t.updated_at else v_now end
  returning t.named_task_id into v_named_task_id;

  select t.template_id into v_template_id from tasker_core.templates t
  where t.named_task_id = v_named_task_id and t.content_hash = p_template ->> 'content_hash';
  if v_template_id is null then
    v_created := true;
    insert into tasker_core.callables (name)
    select distinct s ->> 'callable' from json_array_elements(p_template -> 'steps') s
    where not exists (select from tasker_core.callables c where c.name = s ->> 'callable')
    order by 1
    on conflict do nothing;
    insert into tasker_core.named_steps (named_step_uuid, name, created_at)
    select p_uuids[2 + s.i], s.step ->> 'name', v_now
    from json_array_elements(p_template -> 'steps') with ordinality s(step, i)
    where not exists (select from tasker_core.named_steps n where n.name = s.step ->> 'name')
    order by 2
    on conflict do nothing;

    insert into tasker_core.templates (named_task_id, namespace_id, content_hash, compiled, n_steps, n_initial, created_at)
    values (v_named_task_id, v_namespace_id, p_template ->> 'content_hash', p_template,
      json_array_length(p_template -> 'steps'),
      (select count(*) from json_array_elements(p_template -> 'steps') s where (s ->> 'initial')::boolean), v_now)
    returning templates.template_id into v_template_id;

    insert into tasker_core.template_steps
    select (v_template_id::bigint << 20) + s.ordinal, s.name, n.named_step_id, c.callable_id, s.type, s.initial,
      s.pending_dependencies, s.dependencies, s.children, coalesce(s.late_children, false), s.retryable, s.max_attempts, s.backoff,
      s.backoff_base_ms, s.backoff_cap_ms, s.backoff_multiplier, s.backoff_jitter
    from json_to_recordset(p_template -> 'steps') as s(
      ordinal integer, name text, callable text, type text, initial boolean, pending_dependencies integer,
      dependencies integer[], children integer[], late_children boolean, retryable boolean, max_attempts integer,
      backoff tasker_core.backoff_kind, backoff_base_ms integer, backoff_cap_ms integer,
      backoff_multiplier double precision, backoff_jitter double precision)
    join tasker_core.callables c on c.name = s.callable
    join tasker_core.named_steps n on n.name = s.name;
  end if;

  update tasker_core.named_tasks t set current_template_id = v_template_id
  where t.named_task_id = v_named_task_id and t.current_template_id is distinct from v_template_id;

  return query select v_template_id, v_namespace_id, v_named_task_id, v_created;
end $$;

-- 0301_function_workers.sql
-- purpose: registers a worker host and the callables that it can run; returns the callables' ids in the order given.
create function tasker_core.register_worker(
  p_worker_uuid uuid, p_name text, p_hostname text, p_pid integer, p_callables text[]
) returns table (worker_id integer, callable_ids integer[])
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_worker_id integer;
  v_ids integer[];
begin
  insert into tasker_core.workers as w (worker_uuid, name, hostname, pid, registered_at, last_seen_at)
  values (p_worker_uuid, p_name, p_hostname, p_pid, v_now, v_now)
  on conflict (worker_uuid) do update set last_seen_at = v_now, stopped_at = null
  returning w.worker_id into v_worker_id;

  insert into tasker_core.callables (name)
  select distinct c from unnest(p_callables) c
  where not exists (select from tasker_core.callables x where x.name = c)
  order by c
  on conflict do nothing;
  select coalesce(array_agg(x.callable_id order by c.i), '{}') into v_ids
  from unnest(p_callables) with ordinality c(name, i) join tasker_core.callables x on x.name = c.name;

  delete from tasker_core.worker_callables wc where wc.worker_id = v_worker_id and not wc.callable_id = any(v_ids);
  insert into tasker_core.worker_callables (worker_id, callable_id)
  select v_worker_id, x from (select distinct unnest(v_ids)) d(x) on conflict do nothing;
  return query select v_worker_id, v_ids;
end $$;

create function tasker_core.heartbeat_worker(p_worker_id integer) returns void
language sql set search_path to '' as $$
  update tasker_core.workers set last_seen_at = tasker.now() where worker_id = p_worker_id
$$;

-- A stopped worker serves nothing any more; its rows stay for the audit trail.
create function tasker_core.stop_worker(p_worker_id integer) returns void
language plpgsql set search_path to '' as $$
begin
  update tasker_core.workers set stopped_at = tasker.now(), last_seen_at = tasker.now()
  where worker_id = p_worker_id;
  delete from tasker_core.worker_callables where worker_id = p_worker_id;
  delete from tasker_core.idle_workers where worker_id = p_worker_id;
end $$;

-- purpose: a worker about to sleep says so, in a commit of its own, and then looks at its queues once more. Whoever
--          makes steps visible afterwards wakes it and takes the row away: the row is the coalescing, there is no timer.
create function tasker_core.mark_worker_idle(p_worker_id integer, p_namespace_ids integer[]) returns void
language sql set search_path to '' as $$
  insert into tasker_core.idle_workers (worker_id, namespace_ids) values (p_worker_id, p_namespace_ids)
  on conflict (worker_id) do update set namespace_ids = excluded.namespace_ids
$$;

-- Called after a commit, or at the end of a hot function that then reports how many it woke. A NOTIFY in a transaction holds
-- a lock over its fsync, but only somebody asleep is notified: a busy system never pays. Whoever finds nobody asleep before
-- its commit looks again after it: a host may have gone to sleep in between.
create function tasker_core.wake_idle_workers(p_caller integer, p_namespace_ids integer[]) returns integer
language plpgsql set search_path to '' as $$
declare
  v_workers integer[];
begin
  with woken as (
    delete from tasker_core.idle_workers i where i.worker_id = any(array(
      select w.worker_id from tasker_core.idle_workers w
      where w.worker_id <> p_caller and w.namespace_ids && p_namespace_ids
      order by w.worker_id for update skip locked))
    returning i.worker_id
  )
  select array_agg(worker_id) into v_workers from woken;
  perform pg_notify('tasker_wake_' || w, '') from unnest(v_workers) w;
  return coalesce(cardinality(v_workers), 0);
end $$;

-- For the end of a hot function: its row `woken`, when it woke anybody.
create function tasker_core._wake_with_commit(p_caller integer, p_namespace_ids integer[])
returns setof tasker_core.tick_row
language sql volatile set search_path to '' as $$
  select 'woken', null::bigint, null::bigint, null::bigint, null::integer, null::integer, null::integer, null::boolean,
    null::text, null::timestamptz, null::integer, null::timestamptz, w.n::bigint
  from (select tasker_core.wake_idle_workers(p_caller, p_namespace_ids) as n) w where w.n > 0
$$;

-- 0309_function_free_after.sql
-- purpose: room that is left per pool after steps with these callables were offered it: a call that sends twice hands out
--          p_free once. p_callables is ascending and aligned with p_pools.
create function tasker_core._free_after(
  p_free integer[], p_callables integer[], p_pools integer[], p_sent_callables integer[]
) returns integer[]
language sql immutable set search_path to '' as $$
  select array(
    select greatest(0, p_free[p] - (
      select count(*) from unnest(p_sent_callables) c
      where p_callables[width_bucket(c, p_callables)] = c and p_pools[width_bucket(c, p_callables)] = p)::integer)
    from generate_subscripts(p_free, 1) p order by p)
$$;

-- 0310_function_send_steps.sql
-- purpose: makes ready steps runnable. Up to p_free[pool] of them per pool are handed to the calling worker, already
--          leased; the rest become visible in their queues. Every array is aligned with p_step_ids, which is ascending;
--          p_callables is ascending too and aligned with p_pools.
-- Higher classes are handed over first. While steps of class p_waiting_class wait in queues, lower classes get at most a
-- quarter of a pool's room. p_suspects (null: none): steps that have cost a process its life; only claim_steps hands those
-- out, because it knows when to give one up.
-- locks: none of its own; the caller holds the step rows. Messages are new rows.
create function tasker_core._send_steps(
  p_step_ids bigint[], p_queue_ids integer[], p_callable_ids integer[], p_task_uuids uuid[],
  p_correlation_ids uuid[], p_was_waiting boolean, p_worker_id integer, p_callables integer[], p_pools integer[],
  p_free integer[], p_waiting_class integer, p_suspects boolean[], p_lease interval, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_handed integer[];
  v_queued integer[];
  v_queue_id integer;
  v_group integer[];
  v_ids bigint[];
  v_messages bigint[];
  v_until timestamptz := p_now + p_lease;
begin
  select array_agg(x.i order by x.i) filter (where x.handed), array_agg(x.i order by x.i) filter (where not x.handed)
  into v_handed, v_queued
  from (
    select r.i,
      r.pool is not null
        and row_number() over (partition by r.pool order by r.class desc, r.i) <= coalesce(p_free[r.pool], 0)
        and (r.class >= p_waiting_class or
          row_number() over (partition by r.pool, r.class >= p_waiting_class order by r.class desc, r.i) * 4
            <= p_free[r.pool] + 3) as handed
    from (
      select i, p_queue_ids[i] & 3 as class, case when p_suspects[i] then null
          when p_callables[width_bucket(p_callable_ids[i], p_callables)] = p_callable_ids[i]
        then p_pools[width_bucket(p_callable_ids[i], p_callables)] end as pool
      from generate_subscripts(p_step_ids, 1) i
    ) r
  ) x;

  for v_queue_id in select distinct n from unnest(p_queue_ids) n order by n loop
    v_group := array(select i from unnest(v_handed) i where p_queue_ids[i] = v_queue_id order by i);
    if cardinality(v_group) > 0 then
      v_ids := array(select p_step_ids[i] from unnest(v_group) i);
      execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
      using v_ids, array(select p_task_uuids[i] from unnest(v_group) i),
        array(select p_correlation_ids[i] from unnest(v_group) i),
        array(select p_callable_ids[i] from unnest(v_group) i), v_until;
      return query
      update tasker_core.steps s set
        state = 'in_progress', lease_token = s.lease_token + 1, attempts = s.attempts + 1,
        worker_id = p_worker_id, leased_until = v_until, message_id = v_messages[width_bucket(s.step_id, v_ids)],
        previous_attempt_at = s.last_attempted_at, last_attempted_at = p_now, updated_at = p_now
      where s.step_id = any(v_ids)
      returning 'claim', s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer,
        s.solo, null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at,
        (select t.data_epoch::bigint from tasker_core.tasks t where t.task_id = s.step_id >> 20);
      insert into tasker_core.step_log (step_id, at, move, worker_id)
      select x.step_id, p_now, case when p_was_waiting then 'retry_hand_off' else 'hand_off' end::tasker_core.step_move,
        p_worker_id
      from unnest(v_ids) x(step_id);
    end if;

    v_group := array(select i from unnest(v_queued) i where p_queue_ids[i] = v_queue_id order by i);
    if cardinality(v_group) > 0 then
      v_ids := array(select p_step_ids[i] from unnest(v_group) i);
      execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
      using v_ids, array(select p_task_uuids[i] from unnest(v_group) i),
        array(select p_correlation_ids[i] from unnest(v_group) i),
        array(select p_callable_ids[i] from unnest(v_group) i), p_now;
      update tasker_core.steps s set
        state = 'enqueued', message_id = v_messages[width_bucket(s.step_id, v_ids)], updated_at = p_now
      where s.step_id = any(v_ids);
      insert into tasker_core.step_log (step_id, at, move, worker_id)
      select x.step_id, p_now, case when p_was_waiting then 'retry_enqueue' else 'enqueue' end::tasker_core.step_move,
        p_worker_id
      from unnest(v_ids) x(step_id);
      return query select 'queued', null::bigint, null::bigint, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
        cardinality(v_ids)::bigint;
    end if;
  end loop;
end $$;

-- 0311_function_send_from.sql
-- purpose: sends steps out of rows that the caller has locked (p_steps): looks up their tasks' public ids.
create function tasker_core._send_from(
  p_step_ids bigint[], p_steps tasker_core.steps[], p_was_waiting boolean, p_worker_id integer,
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_tasks bigint[] := array(select distinct x >> 20 from unnest(p_step_ids) x order by 1);
  v_uuids uuid[];
  v_correlations uuid[];
begin
  select array_agg(r.task_uuid order by r.task_id), array_agg(r.correlation_id order by r.task_id)
  into v_uuids, v_correlations
  from tasker_core.task_requests r where r.task_id = any(v_tasks);
  return query
  select (x.r).* from (
    select tasker_core._send_steps(
      p_step_ids, array_agg(s.queue_id order by s.step_id), array_agg(s.callable_id order by s.step_id),
      array_agg(v_uuids[width_bucket(s.step_id >> 20, v_tasks)] order by s.step_id),
      array_agg(v_correlations[width_bucket(s.step_id >> 20, v_tasks)] order by s.step_id),
      p_was_waiting, p_worker_id, p_callables, p_pools, p_free, p_waiting_class,
      array_agg(s.deaths > 0 order by s.step_id), p_lease, p_now) as r
    from unnest(p_steps) s
    where p_step_ids[width_bucket(s.step_id, p_step_ids)] = s.step_id
  ) x;
end $$;

-- When the next retry is due, as a `timer` row; none when nothing waits.
create function tasker_core._next_timer(p_now timestamptz) returns setof tasker_core.tick_row
language sql stable set search_path to '' as $$
  select 'timer', null::bigint, null::bigint, null::bigint, null::integer, null::integer, null::integer,
    null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
    greatest(0, ceil(extract(epoch from x.due_at - p_now) * 1000))::bigint
  from (select t.due_at from tasker_core.step_timers t order by t.due_at limit 1) x
$$;

-- Delay before the next attempt of a step: a server's hint, capped; else the template's strategy, capped, with jitter: the
-- cap is where many steps meet, so they are spread there too.
create function tasker_core._retry_delay_ms(p_template_step_id bigint, p_attempts integer, p_hint_ms integer)
returns integer
language sql volatile set search_path to '' as $$
  select (case
    when p_hint_ms is not null then least(p_hint_ms, ts.backoff_cap_ms)
    else (1 + (random() * 2 - 1) * ts.backoff_jitter) *
      tasker_core.backoff_ms(ts.backoff, ts.backoff_base_ms, ts.backoff_cap_ms, ts.backoff_multiplier, p_attempts)
  end)::integer
  from tasker_core.template_steps ts where ts.template_step_id = p_template_step_id
$$;

-- 0312_function_touched.sql
-- purpose: the children of steps: one entry per (step, child), aligned. Template edges never change and are read without
--          a lock. Where a later plan may give a step another child (it was made at run time itself, or has children that
--          are), `late` is true and the caller reads again with the step locked.
create function tasker_core._children_of(
  p_step_ids bigint[], out parents bigint[], out children bigint[], out late boolean
)
language plpgsql stable set search_path to '' as $$
declare
  v_ids bigint[];
  v_keys bigint[];
  v_dynamic bigint[];
  v_from bigint[];
  v_to bigint[];
begin
  select array_agg(s.step_id), array_agg(s.template_step_id) into v_ids, v_keys
  from tasker_core.steps s where s.step_id = any(p_step_ids);
  select coalesce(array_agg(x.step_id) filter (where x.child_id is not null), '{}'),
    coalesce(array_agg(x.child_id) filter (where x.child_id is not null), '{}'),
    array_agg(distinct x.step_id) filter (where not x.initial or x.late_children), coalesce(bool_or(not x.initial or x.late_children), false)
  into parents, children, v_dynamic, late
  from (
    select s.step_id, (s.template).initial, (s.template).late_children, (s.step_id & ~1048575::bigint) | c as child_id
    from (
      select v_ids[i] as step_id,
        (select ts from tasker_core.template_steps ts where ts.template_step_id = v_keys[i]) as template
      from generate_subscripts(v_ids, 1) i
    ) s left join lateral unnest((s.template).children) c on true
  ) x;
  if v_dynamic is not null then
    select array_agg(e.from_id), array_agg(e.to_id) into v_from, v_to
    from tasker_core.step_edges e where e.from_id = any(v_dynamic);
    parents := parents || coalesce(v_from, '{}');
    children := children || coalesce(v_to, '{}');
  end if;
end $$;

-- 0313_function_accept_results.sql
-- purpose: accepts the results that carry their step's current token, stores them and takes the steps' messages off the
--          queue; sorts the accepted steps into completed, retrying (with the delay) and failed. Changes no step row.
-- locks: none of its own but messages (skip locked); the caller holds the step rows in p_steps.
create function tasker_core._accept_results(
  p_worker_id integer, p_steps tasker_core.steps[], p_step_ids bigint[], p_tokens integer[], p_verdicts integer[],
  p_execution_ms integer[], p_hint_ms integer[], p_bodies bytea, p_ends integer[], p_now timestamptz,
  out accepted bigint[], out completed bigint[], out retrying bigint[], out retry_ms integer[], out failed bigint[]
)
language plpgsql set search_path to '' as $$
begin
  select coalesce(array_agg(x.step_id order by x.step_id), '{}'),
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 0), '{}'),
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.retry), '{}'),
    coalesce(array_agg(case when x.retry then
      tasker_core._retry_delay_ms(x.template_step_id, x.attempts, x.hint_ms) end order by x.step_id)
      filter (where x.retry), '{}'),
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict > 0 and not x.retry), '{}')
  into accepted, completed, retrying, retry_ms, failed
  from (
    select s.step_id, s.template_step_id, s.attempts, p_verdicts[s.i] as verdict, p_hint_ms[s.i] as hint_ms,
      p_verdicts[s.i] = 1 and s.retryable and s.attempts < s.max_attempts as retry
    from (select u.*, width_bucket(u.step_id, p_step_ids) as i from unnest(p_steps) u) s
    where s.i > 0 and p_step_ids[s.i] = s.step_id and s.lease_token = p_tokens[s.i] and s.state = 'in_progress'
  ) x;
  if cardinality(accepted) = 0 then return; end if;

  insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, retryable, hint_ms, execution_ms,
    body)
  select p_step_ids[i], p_tokens[i], p_now, p_worker_id, p_verdicts[i] = 0, p_verdicts[i] = 1, p_hint_ms[i],
    p_execution_ms[i], tasker_core._body(p_bodies, p_ends, i)
  from generate_subscripts(p_step_ids, 1) i
  where accepted[width_bucket(p_step_ids[i], accepted)] = p_step_ids[i];

  perform tasker_core._delete_messages(array_agg(s.queue_id), array_agg(s.message_id)) from unnest(p_steps) s
  where accepted[width_bucket(s.step_id, accepted)] = s.step_id;
end $$;

-- purpose: what became of each reported result, as `verdict` rows. The same token after the step moved on is answered
--          `committed` again: the reply to the first was lost. Any other token is `stale`.
create function tasker_core._verdicts(
  p_steps tasker_core.steps[], p_accepted bigint[], p_step_ids bigint[], p_tokens integer[]
) returns setof tasker_core.tick_row
language sql stable set search_path to '' as $$
  select 'verdict', p_step_ids[i], null::bigint, null::bigint, p_tokens[i], null::integer, null::integer, null::boolean,
    case
      when p_accepted[width_bucket(p_step_ids[i], p_accepted)] = p_step_ids[i] then 'committed'
      when exists (select from unnest(p_steps) s where s.step_id = p_step_ids[i]
        and s.lease_token = p_tokens[i] and s.state <> 'in_progress') then 'committed'
      else 'stale'
    end,
    null::timestamptz, null::integer, null::timestamptz, null::bigint
  from generate_subscripts(p_step_ids, 1) i
$$;

-- 0314_function_expand_plans.sql
-- purpose: creates what the results of decisions and batch analyzers call for, in the transaction that completes them.
--          p_plans: { "<step id>": { steps: [ordinal], workers: [{ name, ordinal, inputs, tolerated }],
--          edges: [{ from, to, name }] } }, where from and to are an ordinal of the template, or -1 - n for worker n.
--          Impossible plans never come here: the host has failed their steps (core/src/lifecycle/plans).
-- returns: the rows of all steps that the plans named, created or found, as they are afterwards; and how many were created.
-- locks:   none of its own. The caller holds the rows of existing steps that the plans name, and the tasks; it has
--          written the completing steps' states before.
create function tasker_core._expand_plans(
  p_plans json, p_completed bigint[], p_now timestamptz,
  out steps tasker_core.steps[], out task_ids bigint[], out created integer[]
)
language plpgsql set search_path to '' as $$
declare
  v_step_id bigint;
  v_plan json;
  v_task_id bigint;
  v_base bigint;
  v_template bigint;
  v_queue_id integer;
  v_next integer;
  v_named bigint[] := '{}';
  v_created integer;
  v_taken_name text;
  v_from bigint[];
  v_to bigint[];
  v_names text[];
  v_satisfied bigint[];
  v_children bigint[];
  v_counts integer[];
begin
  task_ids := '{}'; created := '{}';
  for v_step_id, v_plan in
    select k.key::bigint, k.value from json_each(p_plans) k where k.key::bigint = any(p_completed) order by 1
  loop
    v_task_id := v_step_id >> 20;
    v_base := v_task_id << 20;
    select s.template_step_id >> 20 << 20, s.queue_id into v_template, v_queue_id
    from tasker_core.steps s where s.step_id = v_step_id;
    select t.next_ordinal into v_next from tasker_core.tasks t where t.task_id = v_task_id;

    -- find or create
    with made as (
      insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
        max_attempts, retryable, created_at, updated_at)
      select v_base + o.value::integer, ts.template_step_id, v_queue_id, ts.callable_id, 'pending', 0,
        ts.max_attempts, ts.retryable, p_now, p_now
      from json_array_elements_text(v_plan -> 'steps') o,
        lateral (select * from tasker_core.template_steps x where x.template_step_id = v_template + o.value::integer) ts
      on conflict (step_id) do nothing
      returning 1
    )
    select count(*) into v_created from made;
    -- Two analyzers may use one worker template; a class 22 error makes the host fail this step alone.
    select s.name into v_taken_name from tasker_core.steps s
    where s.step_id >= v_base and s.step_id < v_base + 1048576
      and s.name = any(array(select w ->> 'name' from json_array_elements(v_plan -> 'workers') w))
    limit 1;
    if found then
      raise exception 'a batch worker named % exists in this task already', v_taken_name using errcode = '22023';
    end if;
    insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
      max_attempts, retryable, created_at, updated_at, name, inputs, failure_tolerated)
    select v_base + v_next + w.n - 1, ts.template_step_id, v_queue_id, ts.callable_id, 'pending', 0,
      ts.max_attempts, ts.retryable, p_now, p_now, w.worker ->> 'name', w.worker -> 'inputs',
      (w.worker ->> 'tolerated')::boolean
    from json_array_elements(v_plan -> 'workers') with ordinality w(worker, n),
      lateral (select * from tasker_core.template_steps x
        where x.template_step_id = v_template + (w.worker ->> 'ordinal')::integer) ts;
    update tasker_core.tasks t set next_ordinal = t.next_ordinal + json_array_length(v_plan -> 'workers')
    where t.task_id = v_task_id;

    -- edges: one counts only while its parent is not satisfied and its child is pending
    select array_agg(v_base + case when e.f < 0 then v_next - 1 - e.f else e.f end),
      array_agg(v_base + case when e.t < 0 then v_next - 1 - e.t else e.t end), array_agg(e.name)
    into v_from, v_to, v_names
    from (
      select (x ->> 'from')::integer as f, (x ->> 'to')::integer as t, x ->> 'name' as name
      from json_array_elements(v_plan -> 'edges') x
    ) e;
    v_satisfied := array(
      select s.step_id from tasker_core.steps s
      where s.step_id = any(v_from) and s.state in ('complete', 'resolved_manually') order by s.step_id);
    with made as (
      insert into tasker_core.step_edges (from_id, to_id, name, created_at)
      select v_from[i], v_to[i], v_names[i], p_now from generate_subscripts(v_from, 1) i
      on conflict do nothing
      returning from_id, to_id
    )
    select coalesce(array_agg(x.to_id order by x.to_id), '{}'), array_agg(x.n order by x.to_id)
    into v_children, v_counts
    from (
      select m.to_id, count(*)::integer as n from made m
      where not coalesce(v_satisfied[width_bucket(m.from_id, v_satisfied)] = m.from_id, false)
      group by m.to_id
    ) x;
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies + v_counts[width_bucket(s.step_id, v_children)]
    where s.step_id = any(v_children) and s.state = 'pending';

    v_named := v_named || array(
      select v_base + o.value::integer from json_array_elements_text(v_plan -> 'steps') o
      union all
      select v_base + v_next + n from generate_series(0, json_array_length(v_plan -> 'workers') - 1) n);
    task_ids := task_ids || v_task_id;
    created := created || (v_created + json_array_length(v_plan -> 'workers'));
  end loop;
  -- Once, at the end: two plans may name one step.
  select coalesce(array_agg(s order by s.step_id), '{}') into steps
  from tasker_core.steps s where s.step_id = any(v_named);
end $$;

-- The steps that plans name and that may exist already, edges' parents included: to be locked before the tasks are.
create function tasker_core._planned_step_ids(p_plans json) returns bigint[]
language sql immutable set search_path to '' as $$
  select array(
    -- No rows for a null document.
    select (k.key::bigint & ~1048575::bigint) | o.value::integer
    from json_each(p_plans) k, json_array_elements_text(k.value -> 'steps') o
    union
    select (k.key::bigint & ~1048575::bigint) | (e.value ->> 'from')::integer
    from json_each(p_plans) k, json_array_elements(k.value -> 'edges') e where (e.value ->> 'from')::integer >= 0)
$$;

-- purpose: after locking: children that edges gave meanwhile to steps that may get late ones. Their rows are locked here
--          and added to p_steps; out of the usual order, so a deadlock is possible, is retried, and is rare.
create function tasker_core._late_children(
  p_step_ids bigint[], p_steps tasker_core.steps[],
  out parents bigint[], out children bigint[], out steps tasker_core.steps[]
)
language plpgsql set search_path to '' as $$
declare
  v_more tasker_core.steps[];
begin
  select c.parents, c.children into parents, children from tasker_core._children_of(p_step_ids) c;
  select array_agg(x.s) into v_more
  from (
    select s from tasker_core.steps s
    where s.step_id = any(array(
      select c from unnest(children) c where not exists (select from unnest(p_steps) l where l.step_id = c)))
    order by s.step_id for update
  ) x;
  steps := p_steps || coalesce(v_more, '{}');
end $$;

-- 0320_function_settle_steps.sql
-- purpose: settles steps whose results are accepted: final states, dependencies, due retries, sending, tasks. The one
--          place where a result has consequences; tick (fused) and process_step_results (split) both end here.
-- p_steps: rows locked by the caller (reporting steps, their children, due retries), ascending. p_completed,
--          p_retrying and p_failed are disjoint and ascending. p_parents / p_children: one entry per reporting step and
--          child. p_plans: see _expand_plans, null when no result creates steps. p_split: the results were submitted before, so only the second half of the transitions is logged.
-- locks:   task rows, ascending. Deletes timers that the caller has locked (p_due).
create function tasker_core._settle_steps(
  p_worker_id integer, p_steps tasker_core.steps[], p_completed bigint[], p_retrying bigint[], p_retry_ms integer[],
  p_failed bigint[], p_parents bigint[], p_children bigint[], p_due bigint[], p_plans json, p_split boolean,
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_timer_limit integer, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_tolerated bigint[];     -- failures that their dependents live with
  v_satisfying bigint[];    -- what lets children go on, ascending
  v_named tasker_core.steps[] := '{}';     -- what plans created or found
  v_expanded bigint[] := '{}';             -- per plan its task, and how many steps it created
  v_created integer[] := '{}';
  v_decremented bigint[];   -- children to decrement, ascending
  v_decrements integer[];
  v_woken bigint[];         -- due retries that are still waiting
  v_task_ids bigint[];
  v_tasks tasker_core.tasks[];
  v_open bigint[];          -- tasks that may send steps after this batch's failures, ascending
  v_ready bigint[];
  v_ready_retries bigint[];
  v_enqueued_tasks bigint[];
  v_d_total integer[];      -- changes of the counters, aligned with v_task_ids
  v_d_complete integer[];
  v_d_error integer[];
  v_d_pipeline integer[];
  v_d_retrying integer[];
  v_next tasker_core.task_state[];
begin
  v_woken := array(
    select s.step_id from unnest(p_steps) s
    where s.state = 'waiting_for_retry' and s.step_id = any(p_due) order by s.step_id);
  v_tolerated := array(
    select s.step_id from unnest(p_steps) s
    where s.failure_tolerated and p_failed[width_bucket(s.step_id, p_failed)] = s.step_id order by s.step_id);
  v_satisfying := array(select x from unnest(p_completed || v_tolerated) x order by x);
  select coalesce(array_agg(x.child_id order by x.child_id), '{}'), array_agg(x.n order by x.child_id)
  into v_decremented, v_decrements
  from (
    select p_children[i] as child_id, count(*)::integer as n
    from generate_subscripts(p_children, 1) i
    where v_satisfying[width_bucket(p_parents[i], v_satisfying)] = p_parents[i]
    group by p_children[i]
  ) x;

  v_task_ids := array(
    select distinct x >> 20 from unnest(p_completed || p_retrying || p_failed || v_woken) x order by 1);
  select array_agg(x.t) into v_tasks
  from (select t from tasker_core.tasks t where t.task_id = any(v_task_ids) order by t.task_id for update) x;

  -- change: reporting steps ------------------------------------------------------------------------------------
  if cardinality(p_completed) > 0 then
    update tasker_core.steps s set state = 'complete', processed_at = p_now, leased_until = null, message_id = null,
      updated_at = p_now
    where s.step_id = any(p_completed);
  end if;
  if cardinality(p_retrying) > 0 then
    update tasker_core.steps s set state = 'waiting_for_retry', leased_until = null, message_id = null,
      backoff_seconds = ceil(p_retry_ms[width_bucket(s.step_id, p_retrying)] / 1000.0)::integer, updated_at = p_now
    where s.step_id = any(p_retrying);
    insert into tasker_core.step_timers (step_id, due_at, kind)
    select p_retrying[i], p_now + make_interval(secs => p_retry_ms[i] / 1000.0), 'retry'
    from generate_subscripts(p_retrying, 1) i
    on conflict (step_id) do update set due_at = excluded.due_at, kind = excluded.kind;
  end if;
  if cardinality(p_failed) > 0 then
    update tasker_core.steps s set state = 'error', leased_until = null, message_id = null, updated_at = p_now
    where s.step_id = any(p_failed);
  end if;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x.step_id, p_now, x.move::tasker_core.step_move, p_worker_id
  from (
    select c, case when p_split then 'settle_success' else 'succeed' end from unnest(p_completed) c
    union all select r, case when p_split then 'settle_retry' else 'retry_later' end from unnest(p_retrying) r
    union all select f, case when p_split then 'settle_error' else 'fail' end from unnest(p_failed) f
  ) x(step_id, move);

  -- change: what became ready. Children of a blocked or finished task stay pending with nothing pending -----------
  v_open := array(
    select t.task_id from unnest(v_tasks) t
    where t.n_error = 0
      and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures')
      and not exists (select from unnest(p_failed) f where f >> 20 = t.task_id and not f = any(v_tolerated))
    order by t.task_id);
  if cardinality(v_decremented) > 0 then
    v_ready := array(
      select s.step_id from (select u.*, width_bucket(u.step_id, v_decremented) as i from unnest(p_steps) u) s
      where s.i > 0 and v_decremented[s.i] = s.step_id and s.state = 'pending'
        and s.pending_dependencies = v_decrements[s.i]
        and v_open[width_bucket(s.step_id >> 20, v_open)] = s.step_id >> 20
      order by s.step_id);
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies - v_decrements[width_bucket(s.step_id, v_decremented)],
      updated_at = p_now
    where s.step_id = any(v_decremented) and s.state = 'pending';
  end if;
  if p_plans is not null then
    select e.steps, e.task_ids, e.created into v_named, v_expanded, v_created
    from tasker_core._expand_plans(p_plans, p_completed, p_now) e;
    -- The rows as they are now replace what was read before.
    p_steps := array(select s from unnest(p_steps) s
      where not exists (select from unnest(v_named) n where n.step_id = s.step_id)) || v_named;
    v_ready := array(
      select x from unnest(v_ready) x where not exists (select from unnest(v_named) n where n.step_id = x)
      union
      select n.step_id from unnest(v_named) n
      where n.state = 'pending' and n.pending_dependencies = 0
        and v_open[width_bucket(n.step_id >> 20, v_open)] = n.step_id >> 20
      order by 1);
  end if;
  v_ready_retries := array(
    select w from unnest(v_woken) w where v_open[width_bucket(w >> 20, v_open)] = w >> 20 order by w);
  if cardinality(p_due) > 0 then
    -- A blocked task's timers do not fire; a manual action re-evaluates its steps.
    delete from tasker_core.step_timers t where t.step_id = any(p_due);
  end if;
  if cardinality(v_ready) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready, p_steps, false, p_worker_id, p_callables, p_pools, p_free, p_waiting_class, p_lease, p_now) x;
  end if;
  if cardinality(v_ready_retries) > 0 then
    return query select x.* from tasker_core._send_from(
      v_ready_retries, p_steps, true, p_worker_id, p_callables, p_pools,
      tasker_core._free_after(p_free, p_callables, p_pools, array(
        select s.callable_id from unnest(p_steps) s where v_ready[width_bucket(s.step_id, v_ready)] = s.step_id)),
      p_waiting_class, p_lease, p_now) x;
  end if;

  -- change: tasks -----------------------------------------------------------------------------------------------
  v_enqueued_tasks := array(
    select distinct x >> 20 from unnest(coalesce(v_ready, '{}') || v_ready_retries) x order by 1);
  select array_agg(x.total order by x.task_id), array_agg(x.complete order by x.task_id),
    array_agg(x.failed order by x.task_id), array_agg(x.pipeline order by x.task_id),
    array_agg(x.retrying order by x.task_id)
  into v_d_total, v_d_complete, v_d_error, v_d_pipeline, v_d_retrying
  from (
    select d.task_id, sum(d.total)::integer as total, sum(d.complete)::integer as complete,
      sum(d.failed)::integer as failed, sum(d.pipeline)::integer as pipeline, sum(d.retrying)::integer as retrying
    from (
      select t as task_id, 0 as total, 0 as complete, 0 as failed, 0 as pipeline, 0 as retrying
      from unnest(v_task_ids) t
      union all select e.task_id, e.created, 0, 0, 0, 0 from unnest(v_expanded, v_created) e(task_id, created)
      union all select c >> 20, 0, 1, 0, -1, 0 from unnest(p_completed) c
      union all select f >> 20, 0, 0, 1, -1, 0 from unnest(p_failed) f
      -- A tolerated failure counts as done, not as an error.
      union all select f >> 20, 0, 1, -1, 0, 0 from unnest(v_tolerated) f
      union all select r >> 20, 0, 0, 0, -1, 1 from unnest(p_retrying) r
      union all select x >> 20, 0, 0, 0, 1, 0 from unnest(v_ready) x
      union all select w >> 20, 0, 0, 0, 1, -1 from unnest(v_ready_retries) w
    ) d
    group by d.task_id
  ) x;
  select array_agg(tasker_core._next_task_state(t.state, t.n_total + v_d_total[t.i],
      t.n_complete + v_d_complete[t.i], t.n_cancelled,
      t.n_error + v_d_error[t.i], t.n_pipeline + v_d_pipeline[t.i],
      coalesce(v_enqueued_tasks[width_bucket(t.task_id, v_enqueued_tasks)] = t.task_id, false)) order by t.task_id)
  into v_next
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t;

  update tasker_core.tasks t set
    n_total = t.n_total + v_d_total[width_bucket(t.task_id, v_task_ids)],
    n_complete = t.n_complete + v_d_complete[width_bucket(t.task_id, v_task_ids)],
    n_error = t.n_error + v_d_error[width_bucket(t.task_id, v_task_ids)],
    n_pipeline = t.n_pipeline + v_d_pipeline[width_bucket(t.task_id, v_task_ids)],
    n_waiting_retry = t.n_waiting_retry + v_d_retrying[width_bucket(t.task_id, v_task_ids)],
    state = v_next[width_bucket(t.task_id, v_task_ids)],
    -- As logged below: another round ends with entering steps_in_process again.
    state_since = case
      when t.state = v_next[width_bucket(t.task_id, v_task_ids)] and t.state <> 'steps_in_process' then t.state_since
      else p_now
    end,
    completed_at = case when v_next[width_bucket(t.task_id, v_task_ids)] = 'complete' then p_now end
  where t.task_id = any(v_task_ids);

  -- Back in steps_in_process after another round is a move; staying where it was is not.
  insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
  select t.task_id, p_now, t.state, v_next[t.i], p_worker_id
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where t.state <> v_next[t.i] or t.state = 'steps_in_process';

  if cardinality(p_failed) > 0 then
    perform tasker_core._on_final_failures(p_worker_id, p_failed, p_steps, p_now);
  end if;

  return query
  select 'task', null::bigint, t.task_id, null::bigint, null::integer, null::integer, null::integer,
    null::boolean, v_next[t.i]::text, null::timestamptz, null::integer, null::timestamptz, null::bigint
  from (select u.*, width_bucket(u.task_id, v_task_ids) as i from unnest(v_tasks) u) t
  where v_next[t.i] in ('complete', 'blocked_by_failures', 'error') and t.state <> v_next[t.i];

  if p_timer_limit > 0 or cardinality(p_retrying) > 0 then
    return query select x.* from tasker_core._next_timer(p_now) x;
  end if;
end $$;

-- 0330_function_create_tasks.sql
-- purpose: creates a batch of tasks with their initial steps and edges counted, and sends their first steps, in one
--          commit. A task whose identity exists already is reported as `duplicate` (task_id of the one that exists).
--          Arrays are aligned; bodies hold, per task, the context then the tags (two entries of p_ends each).
--          p_wake: namespaces whose sleeping workers the commit wakes, for a host that runs no steps itself.
-- rows:    created | duplicate (task_id, number = position in the batch, from 1), then those of _send_steps.
-- locks: rows of task_identities in hash order (two creators of one identity wait for each other here), new rows else.
create function tasker_core.create_tasks(
  p_worker_id integer, p_task_uuids uuid[], p_template_ids integer[], p_identity_hashes text[],
  p_correlation_ids uuid[], p_parent_correlation_ids uuid[], p_priorities integer[], p_initiators text[],
  p_source_systems text[], p_reasons text[], p_bodies bytea, p_ends integer[],
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_wake integer[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_count integer := cardinality(p_task_uuids);
  v_ids bigint[];
  v_new bigint[];
  v_template record;
  v_batch bigint[];
  v_positions integer[];
  v_roots bigint[];
begin
  select array_agg(nextval('tasker_core.task_id_seq'::regclass)) into v_ids from generate_series(1, v_count);

  with inserted as (
    insert into tasker_core.task_identities (identity_hash, task_id)
    select p_identity_hashes[i], v_ids[i] from generate_series(1, v_count) i
    order by p_identity_hashes[i]
    on conflict do nothing
    returning task_id
  )
  select coalesce(array_agg(task_id order by task_id), '{}') into v_new from inserted;

  if cardinality(v_new) < v_count then
    -- A new statement, so that it sees an identity committed by the transaction that this one waited for.
    return query
    select 'duplicate', null::bigint, t.task_id, null::bigint, null::integer, null::integer, null::integer,
      null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz, i::bigint
    from generate_series(1, v_count) i,
      lateral (select d.task_id from tasker_core.task_identities d where d.identity_hash = p_identity_hashes[i]) t
    where not v_ids[i] = any(v_new);
  end if;
  if cardinality(v_new) = 0 then return; end if;

  insert into tasker_core.task_requests (
    task_id, task_uuid, named_task_id, correlation_id, parent_correlation_id, priority, requested_at, created_at,
    initiator, source_system, reason, tags, context, identity_hash)
  select v_ids[i], p_task_uuids[i],
    (select t.named_task_id from tasker_core.templates t where t.template_id = p_template_ids[i]),
    p_correlation_ids[i], p_parent_correlation_ids[i], p_priorities[i], v_now, v_now, p_initiators[i],
    p_source_systems[i], p_reasons[i], tasker_core._body(p_bodies, p_ends, i * 2),
    tasker_core._body(p_bodies, p_ends, i * 2 - 1), p_identity_hashes[i]
  from generate_series(1, v_count) i
  where v_ids[i] = any(v_new);

  return query
  select 'created', null::bigint, v_ids[i], null::bigint, null::integer, null::integer, null::integer,
    null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz, i::bigint
  from generate_series(1, v_count) i where v_ids[i] = any(v_new);

  for v_template in
    select t.template_id, t.namespace_id, t.n_initial, t.n_steps from tasker_core.templates t
    where t.template_id = any(p_template_ids) order by t.template_id
  loop
    select array_agg(v_ids[i] order by i), array_agg(i order by i) into v_batch, v_positions
    from generate_series(1, v_count) i
    where p_template_ids[i] = v_template.template_id and v_ids[i] = any(v_new);
    continue when v_batch is null;

    insert into tasker_core.steps (
      step_id, template_step_id, queue_id, callable_id, state, pending_dependencies, max_attempts, retryable,
      created_at, updated_at)
    select (v_ids[p.i] << 20) | (ts.template_step_id & 1048575), ts.template_step_id,
      tasker_core.queue_id(v_template.namespace_id, p_priorities[p.i]),
      ts.callable_id, 'pending', ts.pending_dependencies, ts.max_attempts, ts.retryable, v_now, v_now
    from unnest(v_positions) p(i), tasker_core.template_steps ts
    where ts.template_step_id >= v_template.template_id::bigint << 20
      and ts.template_step_id < (v_template.template_id + 1)::bigint << 20
      and ts.initial;

    v_roots := array(
      select ts.template_step_id & 1048575 from tasker_core.template_steps ts
      where ts.template_step_id >= v_template.template_id::bigint << 20
        and ts.template_step_id < (v_template.template_id + 1)::bigint << 20
        and ts.initial and ts.pending_dependencies = 0
      order by 1);

    insert into tasker_core.tasks (task_id, template_id, state, n_total, n_pipeline, next_ordinal, state_since,
      completed_at)
    select b.task_id, v_template.template_id,
      case when v_template.n_initial = 0 then 'complete' else 'steps_in_process' end::tasker_core.task_state,
      v_template.n_initial, cardinality(v_roots), v_template.n_steps, v_now, case when v_template.n_initial = 0 then v_now end
    from unnest(v_batch) b(task_id);
    insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
    select b.task_id, v_now, null,
      case when v_template.n_initial = 0 then 'complete' else 'steps_in_process' end::tasker_core.task_state,
      p_worker_id
    from unnest(v_batch) b(task_id);

    if v_template.n_initial = 0 then
      return query select 'task', null::bigint, b.task_id, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, 'complete', null::timestamptz, null::integer, null::timestamptz, null::bigint
      from unnest(v_batch) b(task_id);
    else
      return query select (s.r).* from (
        select tasker_core._send_steps(
          array_agg((v_ids[p.i] << 20) | t.ordinal order by p.i, t.ordinal),
          array_agg(tasker_core.queue_id(v_template.namespace_id, p_priorities[p.i]) order by p.i, t.ordinal),
          array_agg((select ts.callable_id from tasker_core.template_steps ts
            where ts.template_step_id = (v_template.template_id::bigint << 20) + t.ordinal) order by p.i, t.ordinal),
          array_agg(p_task_uuids[p.i] order by p.i, t.ordinal),
          array_agg(p_correlation_ids[p.i] order by p.i, t.ordinal),
          false, p_worker_id, p_callables, p_pools, p_free,
          p_waiting_class, null, p_lease, v_now) as r
        from unnest(v_positions) p(i), unnest(v_roots) t(ordinal)
      ) s;
      p_free := tasker_core._free_after(p_free, p_callables, p_pools, array(
        select ts.callable_id from tasker_core.template_steps ts, unnest(v_batch) b
        where ts.template_step_id = any(array(
          select (v_template.template_id::bigint << 20) + t.ordinal from unnest(v_roots) t(ordinal)))));
    end if;
  end loop;
  -- Where this host hands out nothing itself, every first step waits for somebody else.
  if p_wake is not null then return query select x.* from tasker_core._wake_with_commit(p_worker_id, p_wake) x; end if;
end $$;

-- 0331_function_tick.sql
-- purpose: one turn of a fused host, in one commit: accept the results of a batch of steps, settle them, resolve
--          dependencies, wake due retries, send what became ready (DATABASE section 3), and bring the tasks to rest.
-- p_step_ids ascending and unique; p_verdicts 0 success, 1 retryable failure, 2 permanent failure; p_hint_ms a
--          server's wish for the delay or null; bodies as in _body; p_plans as in _expand_plans, null when there are none.
-- p_event_*: domain events of the results, see _publish_events; null when there are none.
-- rows:    verdict per result, claim / queued of _send_steps, task per task that came to rest, timer.
-- locks:   due timers (skipping held ones), all steps that are touched in ascending order, their tasks in ascending
--          order; messages are only ever taken with skip locked.
create function tasker_core.tick(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_verdicts integer[], p_execution_ms integer[],
  p_hint_ms integer[], p_bodies bytea, p_ends integer[],
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval, p_timer_limit integer,
  p_plans json, p_event_steps bigint[] default null, p_event_queues text[] default null, p_events text[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_parents bigint[] := '{}';
  v_children bigint[] := '{}';
  v_late boolean := false;
  v_due bigint[] := '{}';
  v_siblings bigint[] := '{}';  -- that a failure among the results may end
  v_touched bigint[];
  v_steps tasker_core.steps[];
  v_accepted bigint[];
  v_completed bigint[];
  v_retrying bigint[];
  v_retry_ms integer[];
  v_failed bigint[];
begin
  -- guard: what could be touched
  if cardinality(p_step_ids) > 0 then
    select c.parents, c.children, c.late into v_parents, v_children, v_late
    from tasker_core._children_of(p_step_ids) c;
  end if;
  if 1 = any(p_verdicts) or 2 = any(p_verdicts) then
    v_siblings := tasker_core._siblings_to_stop(
      array(select p_step_ids[i] from generate_subscripts(p_step_ids, 1) i where p_verdicts[i] > 0),
      array(select p_step_ids[i] from generate_subscripts(p_step_ids, 1) i where p_verdicts[i] = 2));
  end if;
  if p_timer_limit > 0 then
    v_due := array(
      select t.step_id from tasker_core.step_timers t where t.due_at <= v_now
      order by t.due_at limit p_timer_limit for update skip locked);
  end if;
  v_touched := array(select distinct x from unnest(
      p_step_ids || v_children || v_siblings || v_due || tasker_core._planned_step_ids(p_plans)) x
    order by x);
  if cardinality(v_touched) = 0 then
    return query select x.* from tasker_core._next_timer(v_now) x where p_timer_limit > 0;
    return;
  end if;

  -- lock
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(v_touched) order by s.step_id for update) x;
  if v_late then
    select l.parents, l.children, l.steps into v_parents, v_children, v_steps
    from tasker_core._late_children(p_step_ids, v_steps) l;
  end if;

  -- accept
  select x.accepted, x.completed, x.retrying, x.retry_ms, x.failed
  into v_accepted, v_completed, v_retrying, v_retry_ms, v_failed
  from tasker_core._accept_results(p_worker_id, v_steps, p_step_ids, p_tokens, p_verdicts, p_execution_ms, p_hint_ms,
    p_bodies, p_ends, v_now) x;
  return query select x.* from tasker_core._verdicts(v_steps, v_accepted, p_step_ids, p_tokens) x;
  if p_events is not null then
    return query select x.* from tasker_core._publish_events(v_accepted, p_event_steps, p_event_queues, p_events) x;
  end if;

  -- settle
  return query select x.* from tasker_core._settle_steps(p_worker_id, v_steps, v_completed, v_retrying, v_retry_ms,
    v_failed, v_parents, v_children, v_due, p_plans, false, p_callables, p_pools, p_free,
    p_waiting_class, p_lease, p_timer_limit, v_now) x;
end $$;

-- 0332_function_split.sql
-- Tells the orchestrators that the results of these steps are stored.
create function tasker_core._send_results(p_step_ids bigint[], p_now timestamptz) returns void
language sql volatile set search_path to '' as $$
  insert into pgmq.q_orchestration_step_results (enqueued_at, vt, message)
  select p_now, p_now, jsonb_build_object('task_uuid', r.task_uuid,
    'step_uuid', tasker_core.step_uuid(r.task_uuid, x.step_id), 'correlation_id', r.correlation_id)
  from unnest(p_step_ids) x(step_id),
    lateral (select q.task_uuid, q.correlation_id from tasker_core.task_requests q where q.task_id = x.step_id >> 20) r
$$;

-- purpose: split mode, worker side: stores a batch of results and hands the steps to the orchestrators through the
--          queue orchestration_step_results, waking one that sleeps. Parameters as in tick; with p_idle_in the worker asks
--          to be woken for these namespaces, as mark_worker_idle does.
-- locks: steps ascending; messages are new rows or skip locked.
create function tasker_core.submit_step_results(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_verdicts integer[], p_execution_ms integer[],
  p_hint_ms integer[], p_bodies bytea, p_ends integer[], p_plans json,
  p_event_steps bigint[] default null, p_event_queues text[] default null, p_events text[] default null,
  p_idle_in integer[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_steps tasker_core.steps[];
  v_result record;
  v_failed bigint[];
begin
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  select * into v_result from tasker_core._accept_results(p_worker_id, v_steps, p_step_ids, p_tokens, p_verdicts,
    p_execution_ms, p_hint_ms, p_bodies, p_ends, v_now);
  return query select x.* from tasker_core._verdicts(v_steps, v_result.accepted, p_step_ids, p_tokens) x;
  if cardinality(v_result.accepted) = 0 then return; end if;
  if p_events is not null then
    return query select x.* from tasker_core._publish_events(v_result.accepted, p_event_steps, p_event_queues, p_events) x;
  end if;

  v_failed := array(select x from unnest(v_result.retrying || v_result.failed) x order by x);
  if p_plans is not null then
    update tasker_core.step_results r set plan = p_plans -> r.step_id::text
    where r.step_id = any(v_result.completed) and r.token = p_tokens[width_bucket(r.step_id, p_step_ids)];
  end if;
  update tasker_core.steps s set state = 'enqueued_for_orchestration', leased_until = null, message_id = null,
    updated_at = v_now
  where s.step_id = any(v_result.completed);
  update tasker_core.steps s set state = 'enqueued_as_error_for_orchestration', leased_until = null, message_id = null,
    updated_at = v_now
  where s.step_id = any(v_failed);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x.step_id, v_now, x.move::tasker_core.step_move, p_worker_id
  from (
    select c, 'submit_success' from unnest(v_result.completed) c
    union all select f, 'submit_error' from unnest(v_failed) f
  ) x(step_id, move);
  perform tasker_core._send_results(v_result.accepted, v_now);
  if p_idle_in is not null then perform tasker_core.mark_worker_idle(p_worker_id, p_idle_in); end if;
  -- Last: nothing is locked for long by the notification.
  return query select x.* from tasker_core._wake_with_commit(p_worker_id, '{0}') x;
end $$;

-- purpose: split mode, orchestrator side: drains up to p_limit messages of orchestration_step_results and settles the
--          steps they name; what becomes ready goes to the workers' queues, waking those of p_wake (namespaces) that
--          sleep. With p_idle an orchestrator that found no full page asks to be woken itself.
-- rows:    as tick, without verdicts and claims; `scanned` counts the messages.
-- locks:   messages (skip locked), due timers (skip locked), steps ascending, tasks ascending.
create function tasker_core.process_step_results(
  p_worker_id integer, p_limit integer, p_timer_limit integer, p_wake integer[] default null,
  p_idle boolean default false
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_messages bigint[];
  v_ids bigint[];
  v_parents bigint[] := '{}';
  v_children bigint[] := '{}';
  v_late boolean := false;
  v_due bigint[] := '{}';
  v_plans json;
  v_siblings bigint[] := '{}';
  v_touched bigint[];
  v_steps tasker_core.steps[];
  v_result record;
  v_row tasker_core.tick_row;
  v_queued boolean := false;
begin
  select array_agg(x.msg_id), array_agg(distinct x.step_id) filter (where x.step_id is not null) into v_messages, v_ids
  from (
    select q.msg_id, tasker_core.step_id_in(q.message) as step_id
    from pgmq.q_orchestration_step_results q
    where q.vt <= v_now order by q.msg_id limit p_limit for update skip locked
  ) x;
  if v_ids is not null then
    select c.parents, c.children, c.late into v_parents, v_children, v_late
    from tasker_core._children_of(v_ids) c;
    select json_object_agg(r.step_id, r.plan) into v_plans
    from tasker_core.step_results r where r.step_id = any(v_ids) and r.plan is not null;
    v_siblings := tasker_core._siblings_to_stop(
      array(select r.step_id from tasker_core.step_results r where r.step_id = any(v_ids) and not r.success),
      array(select r.step_id from tasker_core.step_results r
        where r.step_id = any(v_ids) and not r.success and not r.retryable));
  end if;
  if p_timer_limit > 0 then
    v_due := array(
      select t.step_id from tasker_core.step_timers t where t.due_at <= v_now
      order by t.due_at limit p_timer_limit for update skip locked);
  end if;
  v_touched := array(select distinct x from unnest(
      coalesce(v_ids, '{}') || v_children || v_siblings || v_due || tasker_core._planned_step_ids(v_plans)) x
    order by x);
  if p_idle and coalesce(cardinality(v_messages), 0) < p_limit then
    perform tasker_core.mark_worker_idle(p_worker_id, '{0}');
  end if;
  if cardinality(v_touched) = 0 then
    return query select x.* from tasker_core._next_timer(v_now) x where p_timer_limit > 0;
    return;
  end if;

  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(v_touched) order by s.step_id for update) x;
  if v_late then
    select l.parents, l.children, l.steps into v_parents, v_children, v_steps
    from tasker_core._late_children(v_ids, v_steps) l;
  end if;
  -- The step row decides; a message for a step that was settled before changes nothing.
  select
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.success), '{}') as completed,
    coalesce(array_agg(x.step_id order by x.step_id) filter (where x.retry), '{}') as retrying,
    coalesce(array_agg(case when x.retry then
      tasker_core._retry_delay_ms(x.template_step_id, x.attempts, x.hint_ms) end order by x.step_id)
      filter (where x.retry), '{}') as retry_ms,
    coalesce(array_agg(x.step_id order by x.step_id) filter (where not x.success and not x.retry), '{}') as failed
  into v_result
  from (
    select s.step_id, s.template_step_id, s.attempts, r.success, r.hint_ms,
      not r.success and r.retryable and s.retryable and s.attempts < s.max_attempts as retry
    from unnest(v_steps) s,
      lateral (select q.success, q.retryable, q.hint_ms from tasker_core.step_results q
        where q.step_id = s.step_id and q.token = s.lease_token) r
    where s.step_id = any(v_ids)
      and s.state in ('enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')
  ) x;
  delete from pgmq.q_orchestration_step_results q where q.msg_id = any(v_messages);

  for v_row in
    select x.* from tasker_core._settle_steps(p_worker_id, v_steps, v_result.completed, v_result.retrying,
      v_result.retry_ms, v_result.failed, v_parents, v_children, v_due, v_plans, true, '{}', '{}', '{}', 0, interval '0',
      p_timer_limit, v_now) x
  loop
    v_queued := v_queued or v_row.kind = 'queued';
    return next v_row;
  end loop;
  if v_queued and p_wake is not null then
    return query select x.* from tasker_core._wake_with_commit(p_worker_id, p_wake) x;
  end if;
  if v_messages is not null then
    return query select 'scanned', null::bigint, null::bigint, null::bigint, null::integer, null::integer,
      null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
      cardinality(v_messages)::bigint;
  end if;
end $$;

-- 0333_function_checkpoint_steps.sql
-- purpose: a moment in UTC as the contract's JSON has it, to the microsecond.
create function tasker_core._rfc3339(p_at timestamptz) returns text
language sql stable parallel safe
as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- purpose: a stored checkpoint as contract/wire-types.md section 5 shows it.
create function tasker_core._checkpoint_json(p_checkpoint tasker_core.step_checkpoints) returns json
language sql stable parallel safe
as $$
  select json_build_object('cursor', p_checkpoint.cursor, 'items_processed', p_checkpoint.items_processed,
    'timestamp', tasker_core._rfc3339(p_checkpoint.stored_at),
    'accumulated_results', p_checkpoint.accumulated_results, 'history', array_to_json(p_checkpoint.history))
$$;

-- purpose: checkpoint yields: stores the progress of a batch of running steps and leases each of them anew to the same
--          worker, under a new token. State, attempts and the snapshot that handlers see stay as they are; no result.
-- p_step_ids ascending and unique; bodies (as in _body) are objects {cursor, items_processed, accumulated_results};
--          of the history the newest p_history_limit entries (at least one) are kept.
-- rows:    verdict per step, `stale` for one that is not running under the given token (cancelled, finished, taken
--          over), which changes nothing; claim per step that goes on.
-- locks: steps ascending, their rows of step_checkpoints, messages (skip locked).
create function tasker_core.checkpoint_steps(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_bodies bytea, p_ends integer[], p_lease interval,
  p_history_limit integer
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_stamp text := tasker_core._rfc3339(v_now);
  v_until timestamptz := v_now + p_lease;
  v_steps tasker_core.steps[];
  v_ids bigint[];
begin
  -- lock
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;

  -- guard
  v_ids := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'in_progress' and s.lease_token = p_tokens[width_bucket(s.step_id, p_step_ids)]
    order by s.step_id);
  -- Not _verdicts: there a step that has moved on under the same token was settled by it, here it was cancelled.
  return query select 'verdict', p_step_ids[i], null::bigint, null::bigint, p_tokens[i], null::integer, null::integer,
    null::boolean,
    case when v_ids[width_bucket(p_step_ids[i], v_ids)] = p_step_ids[i] then 'committed' else 'stale' end,
    null::timestamptz, null::integer, null::timestamptz, null::bigint
  from generate_subscripts(p_step_ids, 1) i;
  if cardinality(v_ids) = 0 then return; end if;

  -- change
  insert into tasker_core.step_checkpoints as c (
    step_id, stored_at, cursor, items_processed, accumulated_results, history)
  select x.step_id, v_now, x.body -> 'cursor', (x.body ->> 'items_processed')::bigint,
    x.body -> 'accumulated_results',
    array[json_build_object('cursor', x.body -> 'cursor', 'timestamp', v_stamp)]
  from (
    select v as step_id, tasker_core._body(p_bodies, p_ends, width_bucket(v, p_step_ids)) as body from unnest(v_ids) v
    offset 0 -- keeps each body from being parsed once per column
  ) x
  on conflict (step_id) do update set
    stored_at = excluded.stored_at, cursor = excluded.cursor, items_processed = excluded.items_processed,
    accumulated_results = excluded.accumulated_results,
    history = (c.history || excluded.history)[greatest(1, cardinality(c.history) + 2 - greatest(1, p_history_limit)):];

  return query
  update tasker_core.steps s set
    lease_token = s.lease_token + 1, worker_id = p_worker_id, leased_until = v_until, updated_at = v_now
  where s.step_id = any(v_ids)
  returning 'claim', s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer,
    s.solo, null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at, null::bigint;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select v, v_now, 'checkpoint', p_worker_id from unnest(v_ids) v;
  perform tasker_core._show_messages(array_agg(s.queue_id), array_agg(s.message_id), v_until) from unnest(v_steps) s
  where v_ids[width_bucket(s.step_id, v_ids)] = s.step_id;
end $$;

-- 0340_function_claim_steps.sql
-- purpose: leases steps to a worker whose messages it has just read. p_steps: their rows, locked by the caller;
--          p_queue_ids and p_message_ids are aligned with p_ids (ascending). p_kind names the rows that come back. From
--          here on the step belongs to the queue in which its message was found.
-- locks: none of its own but messages (skip locked).
create function tasker_core._lease_steps(
  p_worker_id integer, p_queue_ids integer[], p_ids bigint[], p_message_ids bigint[], p_steps tasker_core.steps[],
  p_taken bigint[], p_kind text, p_max_deaths integer, p_until timestamptz, p_now timestamptz
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
begin
  if cardinality(p_taken) = 0 then return; end if;
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select s.step_id, p_now, case s.state when 'enqueued' then 'claim' else 'redeliver' end::tasker_core.step_move,
    p_worker_id
  from unnest(p_steps) s
  where p_taken[width_bucket(s.step_id, p_taken)] = s.step_id;
  return query
  update tasker_core.steps s set
    state = 'in_progress', lease_token = s.lease_token + 1,
    -- A lost delivery consumes no attempt: a released step has its attempt back, an expired one keeps it.
    attempts = s.attempts + case when s.state = 'in_progress' and s.worker_id is not null then 0 else 1 end,
    deaths = s.deaths + case when s.state = 'in_progress' and s.worker_id is not null then 1 else 0 end,
    solo = s.solo or (s.state = 'in_progress' and s.worker_id is not null),
    worker_id = p_worker_id, leased_until = p_until, queue_id = p_queue_ids[width_bucket(s.step_id, p_ids)],
    message_id = p_message_ids[width_bucket(s.step_id, p_ids)],
    previous_attempt_at = s.last_attempted_at, last_attempted_at = p_now, updated_at = p_now
  where s.step_id = any(p_taken)
  returning case when s.deaths >= p_max_deaths then 'poisoned' else p_kind end,
    s.step_id, s.step_id >> 20, s.template_step_id, s.lease_token, s.attempts, s.deaths::integer, s.solo,
    null::text, s.previous_attempt_at, s.backoff_seconds, s.created_at,
        (select t.data_epoch::bigint from tasker_core.tasks t where t.task_id = s.step_id >> 20);
  perform tasker_core._show_messages(array_agg(p_queue_ids[width_bucket(x, p_ids)]),
    array_agg(p_message_ids[width_bucket(x, p_ids)]), p_until)
  from unnest(p_taken) x;
end $$;

-- purpose: takes steps out of the queues of the given namespaces for one worker: up to p_free[pool] per pool, only
--          callables it can run and has room for. Priority classes take turns (_class_share); within a class the oldest
--          message goes first. p_turn: how many steps the worker has claimed before, so that the turns go on where they
--          ended. Takes over expired leases (a death each) and released ones.
-- rows:    claim, poisoned; `scanned` says how many messages it saw, so that the caller knows whether to come back, and in
--          `attempts` the highest class that may have more waiting (null: none).
-- locks: messages (skip locked), then steps ascending.
create function tasker_core.claim_steps(
  p_worker_id integer, p_namespace_ids integer[], p_limit integer, p_callables integer[], p_pools integer[],
  p_free integer[], p_turn bigint, p_lease interval, p_max_deaths integer
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_namespace_id integer;
  v_open integer[];             -- callables whose pools have room
  v_read_queues integer[];
  v_read_messages bigint[];
  v_read_steps bigint[];
  v_waiting integer;
  v_queue_ids integer[];
  v_message_ids bigint[];
  v_ids bigint[];
  v_steps tasker_core.steps[];
  v_taken bigint[];
  v_gone integer[];             -- places in v_ids
  v_missed integer[];
  v_missed_callables integer[];
  v_free integer[] := p_free;
  v_turn bigint := p_turn;
  v_before integer[];           -- claims of each class since its cycle began
  v_group record;
begin
  foreach v_namespace_id in array p_namespace_ids loop
    v_open := array(
      select p_callables[i] from generate_subscripts(p_callables, 1) i where v_free[p_pools[i]] > 0 order by 1);
    execute format('select r.* from tasker_core._namespace_%s_read($1, $2, $3) r', v_namespace_id)
    into v_read_queues, v_read_messages, v_read_steps, v_waiting using p_limit, v_open, v_turn;
    continue when v_read_messages is null;
    return query select 'scanned', null::bigint, null::bigint, null::bigint, null::integer, v_waiting,
      null::integer, null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz,
      cardinality(v_read_messages)::bigint;

    -- Of several messages for one step one counts: in the highest queue the newest.
    select array_agg(x.step_id order by x.step_id), array_agg(x.queue_id order by x.step_id),
      array_agg(x.msg_id order by x.step_id)
    into v_ids, v_queue_ids, v_message_ids
    from (
      select distinct on (r.step_id) r.step_id, r.queue_id, r.msg_id
      from unnest(v_read_steps, v_read_queues, v_read_messages) r(step_id, queue_id, msg_id)
      where r.step_id is not null
      order by r.step_id, r.queue_id desc, r.msg_id desc
    ) x;
    if coalesce(cardinality(v_ids), 0) < cardinality(v_read_messages) then
      perform tasker_core._clear_strays(v_namespace_id, v_read_queues, v_read_messages, v_read_steps, v_ids, v_queue_ids,
        v_message_ids);
    end if;
    continue when v_ids is null;

    select array_agg(x.s) into v_steps
    from (select s from tasker_core.steps s where s.step_id = any(v_ids) order by s.step_id for update) x;

    v_before := array[0, v_turn % 10 * 4 / 10, v_turn % 10 - v_turn % 10 * 4 / 10];
    select
      coalesce(array_agg(x.step_id order by x.step_id) filter (where x.verdict = 'take'), '{}'),
      array_agg(x.n) filter (where x.verdict = 'gone'),
      array_agg(x.n order by x.n) filter (where x.verdict = 'miss'),
      array_agg(x.callable_id order by x.n) filter (where x.verdict = 'miss')
    into v_taken, v_gone, v_missed, v_missed_callables
    from (
      select y.*,
        case
          when not y.runnable then y.otherwise
          when y.pool is null then 'miss'
          -- Beyond the pool's room it stays visible.
          when row_number() over (partition by y.runnable, y.pool order by y.place) <= coalesce(v_free[y.pool], 0)
            then 'take'
        end as verdict
      from (
        select w.*, tasker_core._class_place(w.class, w.nth + v_before[w.class + 1]) as place
        from (
          select z.*, row_number() over (partition by z.runnable, z.pool, z.class order by z.message_id) as nth
          from (
            select i.step_id, i.n, v_message_ids[i.n] as message_id, v_queue_ids[i.n] & 3 as class, s.callable_id,
              coalesce(s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now), false) as runnable,
              case when s.state = 'in_progress' then 'leased' else 'gone' end as otherwise,
              case when p_callables[width_bucket(s.callable_id, p_callables)] = s.callable_id
                then p_pools[width_bucket(s.callable_id, p_callables)] end as pool
            from unnest(v_ids) with ordinality i(step_id, n)
            left join unnest(v_steps) s on s.step_id = i.step_id
          ) z
        ) w
      ) y
    ) x;

    return query select x.* from tasker_core._lease_steps(p_worker_id, v_queue_ids, v_ids, v_message_ids, v_steps,
      v_taken, 'claim', p_max_deaths, v_now + p_lease, v_now) x;
    v_turn := v_turn + cardinality(v_taken);
    -- Several namespaces share the pools: what is taken here is not free for the next.
    v_free := array(
      select v_free[p] - (select count(*) from unnest(v_steps) s
        where v_taken[width_bucket(s.step_id, v_taken)] = s.step_id
          and p_pools[width_bucket(s.callable_id, p_callables)] = p)::integer
      from generate_subscripts(v_free, 1) p order by p);
    if v_gone is not null then
      perform tasker_core._delete_messages(array_agg(v_queue_ids[g]), array_agg(v_message_ids[g])) from unnest(v_gone) g;
    end if;
    if v_missed is not null then
      -- Sent by somebody else, for another worker: now its own readers find it.
      for v_group in
        select v_queue_ids[m.n] as queue_id, array_agg(v_message_ids[m.n]) as messages, array_agg(m.callable_id) as callables
        from unnest(v_missed, v_missed_callables) m(n, callable_id) group by 1
      loop
        execute format('select tasker_core._queue_%s_route($1, $2)', v_group.queue_id)
        using v_group.messages, v_group.callables;
      end loop;
    end if;
    for v_group in
      select s.leased_until, array_agg(v_queue_ids[width_bucket(s.step_id, v_ids)]) as queue_ids,
        array_agg(v_message_ids[width_bucket(s.step_id, v_ids)]) as message_ids
      from unnest(v_steps) s where s.state = 'in_progress' and s.leased_until > v_now group by s.leased_until
    loop
      perform tasker_core._show_messages(v_group.queue_ids, v_group.message_ids, v_group.leased_until);
    end loop;
  end loop;
end $$;

-- What was read beyond one message per step: further messages for a step are deleted, and what names no step, so is not
-- ours, is kept in the archive for whoever sent it.
create function tasker_core._clear_strays(
  p_namespace_id integer, p_read_queues integer[], p_read_messages bigint[], p_read_steps bigint[],
  p_ids bigint[], p_queue_ids integer[], p_message_ids bigint[]
) returns void
language plpgsql set search_path to '' as $$
declare
  v_name text := (select n.name from tasker_core.namespaces n where n.namespace_id = p_namespace_id);
begin
  perform tasker_core._delete_messages(array_agg(r.queue_id), array_agg(r.msg_id))
  from unnest(p_read_queues, p_read_messages, p_read_steps) r(queue_id, msg_id, step_id)
  where r.step_id is not null
    and (r.queue_id, r.msg_id) is distinct from
      (p_queue_ids[width_bucket(r.step_id, p_ids)], p_message_ids[width_bucket(r.step_id, p_ids)]);
  perform pgmq.archive(tasker_core._queue_name(v_name, r.queue_id), array_agg(r.msg_id))
  from unnest(p_read_queues, p_read_messages, p_read_steps) r(queue_id, msg_id, step_id)
  where r.step_id is null group by r.queue_id;
end $$;

-- purpose: takes queued steps whose callable no live worker runs and which have waited long enough, so that the caller
--          can fail them as handler_not_found. Off the hot path: called at the polling interval.
-- rows:    unroutable, as claim.
-- locks: messages (skip locked), then steps ascending.
create function tasker_core.claim_unroutable_steps(
  p_worker_id integer, p_namespace_ids integer[], p_limit integer, p_lease interval, p_max_deaths integer,
  p_handler_wait interval
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_live integer[];
  v_queue_id integer;
  v_ids bigint[];
  v_message_ids bigint[];
  v_steps tasker_core.steps[];
  v_taken bigint[];
begin
  v_live := array(
    select distinct wc.callable_id
    from tasker_core.worker_callables wc join tasker_core.workers w on w.worker_id = wc.worker_id
    where w.stopped_at is null and w.last_seen_at > v_now - interval '30 seconds');
  for v_queue_id in select n * 4 + c from unnest(p_namespace_ids) n, generate_series(0, 2) c order by 1 loop
    execute format($q$
      select array_agg(x.step_id order by x.step_id), array_agg(x.msg_id order by x.step_id)
      from (
        select r.step_id, max(r.msg_id) as msg_id from tasker_core._queue_%s_orphans($1, $2, $3) r
        where r.step_id is not null group by r.step_id
      ) x $q$, v_queue_id)
    into v_ids, v_message_ids using p_limit, v_live, v_now - p_handler_wait;
    continue when v_ids is null;
    select array_agg(x.s) into v_steps
    from (select s from tasker_core.steps s where s.step_id = any(v_ids) order by s.step_id for update) x;
    v_taken := array(
      select s.step_id from unnest(v_steps) s
      where s.state = 'enqueued' or (s.state = 'in_progress' and s.leased_until <= v_now) order by s.step_id);
    return query select x.* from tasker_core._lease_steps(p_worker_id,
      array_fill(v_queue_id, array[cardinality(v_ids)]), v_ids, v_message_ids, v_steps,
      v_taken, 'unroutable', p_max_deaths, v_now + p_lease, v_now) x;
  end loop;
end $$;

-- 0350_function_leases.sql
-- purpose: renews the leases of what a host still holds: step row and message in one commit. Returns the steps that
--          are not its own any more; their handlers must be told (lease_lost).
-- locks: steps ascending, then messages (skip locked).
create function tasker_core.renew_leases(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_lease interval
) returns table (lost_step_id bigint)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_until timestamptz := v_now + p_lease;
  v_steps tasker_core.steps[];
  v_kept bigint[];
begin
  update tasker_core.workers w set last_seen_at = v_now where w.worker_id = p_worker_id;
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  v_kept := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'in_progress' and s.lease_token = p_tokens[width_bucket(s.step_id, p_step_ids)]
    order by s.step_id);
  update tasker_core.steps s set leased_until = v_until where s.step_id = any(v_kept);
  perform tasker_core._show_messages(array_agg(s.queue_id), array_agg(s.message_id), v_until) from unnest(v_steps) s
  where v_kept[width_bucket(s.step_id, v_kept)] = s.step_id;
  return query select x from unnest(p_step_ids) x where not coalesce(v_kept[width_bucket(x, v_kept)] = x, false);
end $$;

-- purpose: gives back deliveries that were lost (process death, drain) so that they are taken over at once. The
--          attempt is not counted; p_deaths[i] is 1 when the step's process died with this step alone in it, and
--          p_suspects[i] when it died at all: from then on the step runs alone.
-- locks: steps ascending, then messages (skip locked).
create function tasker_core.release_steps(
  p_step_ids bigint[], p_tokens integer[], p_deaths integer[], p_suspects boolean[]
) returns integer
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_steps tasker_core.steps[];
  v_ids bigint[];
begin
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  v_ids := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'in_progress' and s.lease_token = p_tokens[width_bucket(s.step_id, p_step_ids)]
    order by s.step_id);
  update tasker_core.steps s set
    -- The token moves on, so a late answer of the lost delivery is stale; no worker marks the lease as given back.
    lease_token = s.lease_token + 1, attempts = s.attempts - 1, worker_id = null, leased_until = v_now,
    deaths = s.deaths + p_deaths[width_bucket(s.step_id, p_step_ids)],
    solo = s.solo or p_suspects[width_bucket(s.step_id, p_step_ids)], updated_at = v_now
  where s.step_id = any(v_ids);
  perform tasker_core._show_messages(array_agg(s.queue_id), array_agg(s.message_id), v_now) from unnest(v_steps) s
  where v_ids[width_bucket(s.step_id, v_ids)] = s.step_id;
  return cardinality(v_ids);
end $$;

-- purpose: after a lost reply a host cannot know which steps the server handed to it. Whatever is leased to the
--          worker and not in the list of what it holds is made readable at once, without a death.
-- locks: steps ascending, then messages. Reads the namespaces' queues: rare, off the hot path.
create function tasker_core.reconcile_worker(p_worker_id integer, p_held_step_ids bigint[], p_held_tokens integer[])
returns integer
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_ids bigint[];
  v_tokens integer[];
  v_released integer := 0;
begin
  for v_queue_id in
    select n.namespace_id * 4 + c from tasker_core.namespaces n, generate_series(0, 2) c order by 1
  loop
    execute format('select array_agg(h.step_id order by h.step_id) from tasker_core._queue_%s_held() h', v_queue_id)
    into v_ids;
    continue when v_ids is null;
    select array_agg(s.step_id order by s.step_id), array_agg(s.lease_token order by s.step_id) into v_ids, v_tokens
    from tasker_core.steps s
    where s.step_id = any(v_ids) and s.state = 'in_progress' and s.worker_id = p_worker_id and s.queue_id = v_queue_id
      and not exists (select from generate_subscripts(p_held_step_ids, 1) i
        where p_held_step_ids[i] = s.step_id and p_held_tokens[i] = s.lease_token);
    if v_ids is not null then
      v_released := v_released + tasker_core.release_steps(v_ids, v_tokens,
        array_fill(0, array[cardinality(v_ids)]), array_fill(false, array[cardinality(v_ids)]));
    end if;
  end loop;
  return v_released;
end $$;

-- 0360_function_load.sql
-- purpose: what a host needs to build step events, a batch at a time; json comes back as the text that was accepted.
create function tasker_core.load_tasks(p_task_ids bigint[])
returns table (
  task_id bigint, task_uuid uuid, template_id integer, named_task_uuid uuid, correlation_id uuid,
  parent_correlation_id uuid, priority integer, requested_at timestamptz, created_at timestamptz, initiator text,
  source_system text, reason text, tags text, context text, identity_hash text, data_epoch integer
)
language sql stable set search_path to '' as $$
  select r.task_id, r.task_uuid, t.template_id, n.named_task_uuid, r.correlation_id, r.parent_correlation_id,
    r.priority, r.requested_at, r.created_at, r.initiator, r.source_system, r.reason, r.tags::text, r.context::text,
    r.identity_hash, t.data_epoch
  from tasker_core.task_requests r, tasker_core.tasks t, tasker_core.named_tasks n
  where r.task_id = any(p_task_ids) and t.task_id = r.task_id and n.named_task_id = r.named_task_id
$$;

-- The accepted result of each step that has one (the newest token).
create function tasker_core.load_results(p_step_ids bigint[])
returns table (step_id bigint, success boolean, body text)
language sql stable set search_path to '' as $$
  select distinct on (r.step_id) r.step_id, r.success, r.body::text
  from tasker_core.step_results r where r.step_id = any(p_step_ids) order by r.step_id, r.token desc
$$;

-- The stored progress of each step that has any.
create function tasker_core.load_checkpoints(p_step_ids bigint[]) returns table (step_id bigint, checkpoint text)
language sql stable set search_path to '' as $$
  select c.step_id, tasker_core._checkpoint_json(c)::text
  from tasker_core.step_checkpoints c where c.step_id = any(p_step_ids)
$$;

create function tasker_core.load_templates(p_template_ids integer[])
returns table (template_id integer, namespace_id integer, named_task_uuid uuid, compiled text, named_step_uuids uuid[])
language sql stable set search_path to '' as $$
  select t.template_id, t.namespace_id, n.named_task_uuid, t.compiled::text,
    array(select ns.named_step_uuid from tasker_core.template_steps ts
      join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
      where ts.template_step_id >= t.template_id::bigint << 20
        and ts.template_step_id < (t.template_id + 1)::bigint << 20
      order by ts.template_step_id)
  from tasker_core.templates t join tasker_core.named_tasks n on n.named_task_id = t.named_task_id
  where t.template_id = any(p_template_ids)
$$;

-- 0361_function_load_dynamic.sql
-- purpose: what only the database knows of steps made at run time: their names and inputs, and whom they come after.
create function tasker_core.load_dynamic_steps(p_step_ids bigint[])
returns table (step_id bigint, name text, inputs text)
language sql stable set search_path to '' as $$
  select s.step_id, s.name, s.inputs::text from tasker_core.steps s where s.step_id = any(p_step_ids)
$$;

-- All ancestors over edges made at run time, up to and including the first step that existed from the start: its own
-- ancestors follow from the template.
create function tasker_core.load_dynamic_ancestors(p_step_ids bigint[])
returns table (step_id bigint, ancestor_id bigint, name text)
language sql stable set search_path to '' as $$
  with recursive reached(step_id, ancestor_id) as (
    select e.to_id, e.from_id from tasker_core.step_edges e where e.to_id = any(p_step_ids) and e.name <> 'batch_turn'
    union
    select r.step_id, e.from_id from reached r join tasker_core.step_edges e on e.to_id = r.ancestor_id and e.name <> 'batch_turn'
  )
  select r.step_id, r.ancestor_id, s.name
  from reached r join tasker_core.steps s on s.step_id = r.ancestor_id
$$;

-- 0370_function_lock_task_steps.sql
-- purpose: what operators' actions share. They need all steps of a task, which hot functions never do.

-- Locks tasks with all of their steps, and returns the steps as they are then, ascending.
-- locks:    steps ascending, then tasks ascending.
-- sqlstate: 40001 when a step was made while this waited for its task: it is not locked, and locking it now would be
--           against the order. The caller repeats its transaction.
create function tasker_core._lock_task_steps(p_task_ids bigint[]) returns tasker_core.steps[]
language plpgsql set search_path to '' as $$
declare
  v_locked bigint[];
  v_steps tasker_core.steps[];
begin
  v_locked := array(
    select s.step_id from unnest(p_task_ids) t,
      lateral (select x.step_id from tasker_core.steps x
        where x.step_id >= t << 20 and x.step_id < (t + 1) << 20) s
    order by 1);
  perform 1 from (
    select s.step_id from tasker_core.steps s where s.step_id = any(v_locked) order by s.step_id for update) x;
  perform 1 from (
    select t.task_id from tasker_core.tasks t where t.task_id = any(p_task_ids) order by t.task_id for update) x;
  -- A new statement: it sees steps that were committed while this one waited.
  select coalesce(array_agg(s.x order by (s.x).step_id), '{}') into v_steps
  from unnest(p_task_ids) t,
    lateral (select x from tasker_core.steps x where x.step_id >= t << 20 and x.step_id < (t + 1) << 20) s;
  if cardinality(v_steps) <> cardinality(v_locked) then
    raise exception 'steps of tasks % were made meanwhile', p_task_ids using errcode = '40001';
  end if;
  return v_steps;
end $$;

-- Takes the steps' messages and timers away. Whoever holds one of them is about to look at the step row, which the
-- caller has locked, and clears it away itself.
create function tasker_core._withdraw_steps(p_steps tasker_core.steps[]) returns void
language plpgsql set search_path to '' as $$
begin
  perform tasker_core._delete_messages(array_agg(s.queue_id), array_agg(s.message_id)) from unnest(p_steps) s;
  delete from tasker_core.step_timers t where t.step_id = any(array(
    select x.step_id from tasker_core.step_timers x
    where x.step_id = any(array(select s.step_id from unnest(p_steps) s)) for update skip locked));
end $$;

-- Tells workers which steps were taken away: `task_cancelled` or `lease_lost` (core/src/event-systems/wake-message.ts).
-- Inside the transaction, so that whoever calls need not live until after it; operators are rare enough for the lock
-- that NOTIFY holds over its commit. A hint: lease renewal finds out too.
create function tasker_core._tell_workers(p_word text, p_worker_ids integer[], p_ids bigint[]) returns void
language plpgsql set search_path to '' as $$
begin
  -- A payload holds 8000 bytes, an id takes up to 20.
  perform pg_notify('tasker_wake_' || x.worker_id, p_word || ':' || string_agg(x.id::text, ',' order by x.id))
  from (
    select u.worker_id, u.id, (row_number() over (partition by u.worker_id order by u.id) - 1) / 300 as part
    from unnest(p_worker_ids, p_ids) u(worker_id, id) where u.worker_id is not null
  ) x
  group by x.worker_id, x.part;
end $$;

-- A task's counters as its steps say; exact while the caller holds all of them.
create function tasker_core._count_steps(
  p_task_id bigint, out total integer, out complete integer, out cancelled integer, out failed integer,
  out pipeline integer, out waiting_retry integer
)
language sql stable set search_path to '' as $$
  select count(*),
    count(*) filter (where s.state in ('complete', 'resolved_manually') or (s.state = 'error' and s.failure_tolerated)),
    count(*) filter (where s.state = 'cancelled'),
    count(*) filter (where s.state = 'error' and not s.failure_tolerated),
    count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_for_orchestration',
      'enqueued_as_error_for_orchestration')),
    count(*) filter (where s.state = 'waiting_for_retry')
  from tasker_core.steps s where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
$$;

-- 0371_function_cancel_tasks.sql
-- purpose: ends tasks by hand, with everything in them that could still run: steps become cancelled, their messages and
--          timers go, and leases are fenced off so that late results are stale. Workers that run a step are told.
-- p_task_ids: any order. p_worker_id: the host that acts, null for a command line.
-- returns: one row per task that exists: whether this call closed it, the state it was in (when it was final already,
--          that is why not), and which steps were running where.
-- locks: steps ascending, then tasks ascending; messages and timers with skip locked.
-- sqlstate: 40001, see _lock_task_steps.
create function tasker_core._close_tasks(
  p_worker_id integer, p_task_ids bigint[], p_to tasker_core.task_state, p_action text, p_actor text, p_reason text,
  p_metadata jsonb default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[] := array(select distinct t from unnest(p_task_ids) t order by 1);
  v_ended tasker_core.steps[];
  v_ended_ids bigint[];
  v_tasks tasker_core.tasks[];
  v_open bigint[];
begin
  -- lock
  v_ended := tasker_core._lock_task_steps(v_task_ids);
  select coalesce(array_agg(t order by t.task_id), '{}') into v_tasks
  from tasker_core.tasks t where t.task_id = any(v_task_ids);
  v_open := array(
    select t.task_id from unnest(v_tasks) t
    where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually') order by t.task_id);
  -- A task that is resolved keeps its failed steps: they say why somebody had to.
  select coalesce(array_agg(s order by s.step_id), '{}'), coalesce(array_agg(s.step_id order by s.step_id), '{}')
  into v_ended, v_ended_ids
  from unnest(v_ended) s
  where v_open[width_bucket(s.step_id >> 20, v_open)] = s.step_id >> 20
    and s.state not in ('complete', 'cancelled', 'resolved_manually')
    and (p_to = 'cancelled' or s.state <> 'error');

  -- change: steps
  update tasker_core.steps s set
    state = 'cancelled', leased_until = null, message_id = null, processed_at = v_now, updated_at = v_now,
    -- Only a running attempt is fenced off: the token of an accepted result stays, its repeat is not late.
    lease_token = s.lease_token + case when s.state = 'in_progress' then 1 else 0 end
  where s.step_id = any(v_ended_ids);
  perform tasker_core._withdraw_steps(v_ended);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  select x, v_now, 'cancel', p_worker_id from unnest(v_ended_ids) x;

  -- change: tasks
  update tasker_core.tasks t set
    state = p_to, state_since = v_now, n_total = c.total, n_complete = c.complete, n_cancelled = c.cancelled,
    n_error = c.failed, n_pipeline = c.pipeline, n_waiting_retry = c.waiting_retry
  from unnest(v_open) o(id), lateral (select x.* from tasker_core._count_steps(o.id) x) c
  where t.task_id = o.id;
  insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
  select t.task_id, v_now, t.state, p_to, p_worker_id from unnest(v_tasks) t where t.task_id = any(v_open);
  insert into tasker_core.operator_actions (at, action, task_id, from_state, to_state, actor, reason, metadata)
  select v_now, p_action, t.task_id, t.state, p_to, p_actor, p_reason, p_metadata
  from unnest(v_tasks) t where t.task_id = any(v_open);

  -- notify
  perform tasker_core._tell_workers('task_cancelled', array_agg(s.worker_id), array_agg(s.step_id))
  from unnest(v_ended) s where s.state = 'in_progress';
  return query
  select t.task_id, t.task_id = any(v_open), t.state,
    array(select s.step_id from unnest(v_ended) s
      where s.step_id >> 20 = t.task_id and s.state = 'in_progress' and s.worker_id is not null order by s.step_id),
    array(select s.worker_id from unnest(v_ended) s
      where s.step_id >> 20 = t.task_id and s.state = 'in_progress' and s.worker_id is not null order by s.step_id)
  from unnest(v_tasks) t;
end $$;

-- purpose: Cancel: every step that is not final becomes cancelled, failed ones too, and the task is cancelled.
create function tasker_core.cancel_tasks(
  p_worker_id integer, p_task_ids bigint[], p_actor text default 'operator', p_reason text default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language sql volatile set search_path to '' as $$
  select c.* from tasker_core._close_tasks(p_worker_id, p_task_ids, 'cancelled', 'cancel_task', p_actor, p_reason) c
$$;

-- purpose: ResolveManually: the task is closed as dealt with elsewhere. Failed steps stay as they are, what could still
--          run is cancelled.
create function tasker_core.resolve_tasks(
  p_worker_id integer, p_task_ids bigint[], p_actor text default 'operator', p_reason text default null
) returns table (
  task_id bigint, closed boolean, from_state tasker_core.task_state, running_step_ids bigint[],
  running_worker_ids integer[]
)
language sql volatile set search_path to '' as $$
  select c.*
  from tasker_core._close_tasks(p_worker_id, p_task_ids, 'resolved_manually', 'resolve_task', p_actor, p_reason) c
$$;

-- 0372_function_reevaluate_task.sql
-- purpose: how many of a step's parents are not satisfied. Exact while the caller holds the task's steps.
create function tasker_core._unsatisfied_parents(p_step_id bigint, p_template_step_id bigint) returns integer
language sql stable set search_path to '' as $$
  select count(*)::integer
  from (
    -- Edges of the template stand between steps that exist from the start; all others are rows.
    select (p_step_id >> 20 << 20) + d.ordinal as step_id
    from tasker_core.template_steps ts, unnest(ts.dependencies) d(ordinal), tasker_core.template_steps pts
    where ts.template_step_id = p_template_step_id and ts.initial
      and pts.template_step_id = (p_template_step_id >> 20 << 20) + d.ordinal and pts.initial
    union all
    select e.from_id from tasker_core.step_edges e where e.to_id = p_step_id
  ) p
  join tasker_core.steps s on s.step_id = p.step_id
  where s.state not in ('complete', 'resolved_manually') and not (s.state = 'error' and s.failure_tolerated)
$$;

-- purpose: brings a task to where it belongs after an operator has changed its steps: counters, and unless it is final,
--          its state. Once no step is in error, everything that failures have kept back is sent: steps with nothing
--          pending, and retries whose timer found the task blocked and was dropped.
-- p_state: the task's state after; p_queued: steps that were made visible in their queue.
-- locks: none of its own; the caller holds the task and all of its steps.
create function tasker_core._reevaluate_task(
  p_worker_id integer, p_task_id bigint, p_now timestamptz,
  out task_state tasker_core.task_state, out queued integer
)
language plpgsql set search_path to '' as $$
declare
  v_task tasker_core.tasks;
  v_counts record;
  v_held_back tasker_core.steps[];
  v_ids bigint[];
begin
  queued := 0;
  select * into v_task from tasker_core.tasks t where t.task_id = p_task_id;
  select * into v_counts from tasker_core._count_steps(p_task_id);
  task_state := v_task.state;
  if v_counts.failed = 0 and v_task.state not in ('complete', 'error', 'cancelled', 'resolved_manually') then
    -- A step with a timer is the timer's business.
    select coalesce(array_agg(s order by s.step_id), '{}') into v_held_back
    from tasker_core.steps s
    where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
      and (s.state = 'waiting_for_retry' or (s.state = 'pending' and s.pending_dependencies = 0))
      and not exists (select from tasker_core.step_timers t where t.step_id = s.step_id);
    v_ids := array(select s.step_id from unnest(v_held_back) s where s.state = 'pending' order by 1);
    if cardinality(v_ids) > 0 then
      perform 1 from tasker_core._send_from(v_ids, v_held_back, false, p_worker_id, '{}', '{}', '{}', 0, interval '0', p_now);
    end if;
    v_ids := array(select s.step_id from unnest(v_held_back) s where s.state = 'waiting_for_retry' order by 1);
    if cardinality(v_ids) > 0 then
      perform 1 from tasker_core._send_from(v_ids, v_held_back, true, p_worker_id, '{}', '{}', '{}', 0, interval '0', p_now);
    end if;
    queued := cardinality(v_held_back);
    select * into v_counts from tasker_core._count_steps(p_task_id);
    task_state := tasker_core._next_task_state(
      case v_task.state when 'blocked_by_failures' then 'evaluating_results' else v_task.state end,
      v_counts.total, v_counts.complete, v_counts.cancelled, v_counts.failed, v_counts.pipeline, queued > 0);
  end if;

  update tasker_core.tasks t set
    n_total = v_counts.total, n_complete = v_counts.complete, n_cancelled = v_counts.cancelled,
    n_error = v_counts.failed, n_pipeline = v_counts.pipeline, n_waiting_retry = v_counts.waiting_retry,
    state = task_state,
    state_since = case when t.state = task_state and not (task_state = 'steps_in_process' and queued > 0)
      then t.state_since else p_now end,
    completed_at = case when task_state = 'complete' and t.state <> 'complete' then p_now else t.completed_at end
  where t.task_id = p_task_id;
  if task_state <> v_task.state or (task_state = 'steps_in_process' and queued > 0) then
    insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
    values (p_task_id, p_now, v_task.state, task_state, p_worker_id);
  end if;
end $$;

-- 0373_function_step_actions.sql
-- purpose: an operator's action on one step (contract/states.md section 8): the step's transition, what it means for its
--          dependents, and the task going on from there, in one commit.
-- p_body: the contract's step execution result, for CompleteManually only. p_plan: what that result creates, one plan as
--          in _expand_plans; null for nothing. A batch that was created already is not created again, and a task that is
--          final gets no new steps.
-- returns: one row.
--   outcome     done | step_not_found | step_refuses (from_state has no such event) | task_is_final (a step that is
--               reset there would never run)
--   from_state, to_state      of the step, by this action; it may have been enqueued since
--   from_task_state, task_state, queued      where the task was, where it is, and how many steps this sent
--   namespace_id              whose queue they are in
--   running_worker_id         who ran the step when it was taken away; that worker is told
-- locks: steps ascending, then the task; messages and timers with skip locked.
-- sqlstate: 40001, see _lock_task_steps; 22023 when a batch worker of the plan's name exists.
create function tasker_core._act_on_step(
  p_worker_id integer, p_step_id bigint, p_event text, p_action text, p_actor text, p_reason text, p_body json,
  p_plan json default null
) returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_id bigint := p_step_id >> 20;
  v_steps tasker_core.steps[];
  v_step tasker_core.steps;
  v_from_task tasker_core.task_state;
  v_to tasker_core.step_state;
  v_change integer;
  v_children bigint[];
  v_edges integer[];
  v_task record;
begin
  -- lock
  v_steps := tasker_core._lock_task_steps(array[v_task_id]);
  select t.state into v_from_task from tasker_core.tasks t where t.task_id = v_task_id;

  -- guard
  select s.* into v_step from unnest(v_steps) s where s.step_id = p_step_id;
  if not found then
    return query select 'step_not_found', null::tasker_core.step_state, null::tasker_core.step_state, v_from_task,
      v_from_task, 0, null::integer, null::integer;
    return;
  end if;
  select r.to_state into v_to from tasker_core.step_transition_rules r
  where r.from_state = v_step.state and r.event = p_event;
  if not found or (p_event = 'ResetForRetry' and v_from_task in ('complete', 'error', 'cancelled', 'resolved_manually'))
  then
    return query select case when v_to is null then 'step_refuses' else 'task_is_final' end, v_step.state,
      null::tasker_core.step_state, v_from_task, v_from_task, 0, v_step.queue_id >> 2, null::integer;
    return;
  end if;

  -- change: the step
  update tasker_core.steps s set
    state = v_to, leased_until = null, message_id = null, updated_at = v_now,
    processed_at = case when v_to = 'pending' then null else v_now end,
    -- A running attempt is fenced off, and a result given by hand has a token of its own.
    lease_token = s.lease_token + case when s.state = 'in_progress' or p_body is not null then 1 else 0 end,
    attempts = case when v_to = 'pending' then 0 else s.attempts end,
    deaths = case when v_to = 'pending' then 0 else s.deaths end,
    solo = s.solo and v_to <> 'pending',
    backoff_seconds = case when v_to = 'pending' then null else s.backoff_seconds end,
    pending_dependencies = case when v_to = 'pending'
      then tasker_core._unsatisfied_parents(s.step_id, s.template_step_id) else s.pending_dependencies end
  where s.step_id = p_step_id;
  perform tasker_core._withdraw_steps(array[v_step]);
  insert into tasker_core.step_log (step_id, at, move, worker_id)
  values (p_step_id, v_now, case p_event
    when 'ResetForRetry' then 'reset' when 'ResolveManually' then 'resolve_by_hand' when 'Cancel' then 'cancel'
    else 'complete_by_hand'
  end::tasker_core.step_move, p_worker_id);

  -- change: its result
  if p_body is not null then
    if exists (select from tasker_core.step_results r where r.step_id = p_step_id) then
      -- Claims carry the epoch: whoever runs a dependent from now on reads the new result.
      update tasker_core.tasks t set data_epoch = t.data_epoch + 1 where t.task_id = v_task_id;
    end if;
    -- No worker has the id 0: given by hand.
    insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, retryable, execution_ms, body)
    values (p_step_id, v_step.lease_token + 1, v_now, 0, true, false, 0, p_body);
  end if;

  -- change: dependents, when the step enters the satisfied set, or leaves it (a tolerated failure, reset or cancelled)
  v_change := case when v_to in ('complete', 'resolved_manually') then -1 else 0 end;
  if v_step.state in ('complete', 'resolved_manually') or (v_step.state = 'error' and v_step.failure_tolerated) then
    v_change := v_change + 1;
  end if;
  if v_change <> 0 then
    select array_agg(x.child_id order by x.child_id), array_agg(x.n order by x.child_id) into v_children, v_edges
    from (
      select e.child_id, count(*)::integer as n
      from tasker_core._children_of(array[p_step_id]) c, unnest(c.children) e(child_id) group by e.child_id
    ) x;
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies + v_change * v_edges[width_bucket(s.step_id, v_children)],
      updated_at = v_now
    where s.step_id = any(v_children) and s.state = 'pending';
  end if;

  -- change: what the result creates; its step is satisfied by now, so edges from it do not count
  if p_plan is not null and v_from_task not in ('complete', 'error', 'cancelled', 'resolved_manually')
    and not exists (select from tasker_core.step_edges e where e.from_id = p_step_id and e.name = 'batch_dependency')
  then
    perform tasker_core._expand_plans(json_build_object(p_step_id, p_plan), array[p_step_id], v_now);
  end if;

  -- change: the task
  select * into v_task from tasker_core._reevaluate_task(p_worker_id, v_task_id, v_now);
  insert into tasker_core.operator_actions (at, action, task_id, step_id, from_state, to_state, actor, reason)
  values (v_now, p_action, v_task_id, p_step_id, v_step.state, v_to, p_actor, p_reason);

  -- notify
  if v_step.state = 'in_progress' then
    perform tasker_core._tell_workers('lease_lost', array[v_step.worker_id], array[p_step_id]);
  end if;
  return query select 'done', v_step.state, v_to, v_from_task, v_task.task_state, v_task.queued, v_step.queue_id >> 2,
    case when v_step.state = 'in_progress' then v_step.worker_id end;
end $$;

-- purpose: ResetForRetry: a failed step starts over with all of its attempts.
create function tasker_core.reset_step_for_retry(p_worker_id integer, p_step_id bigint, p_actor text, p_reason text)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'ResetForRetry', 'reset_step', p_actor, p_reason, null) a
$$;

-- purpose: ResolveManually: the step counts as done; its dependents see whatever result it had.
create function tasker_core.resolve_step_manually(p_worker_id integer, p_step_id bigint, p_actor text, p_reason text)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'ResolveManually', 'resolve_step', p_actor, p_reason, null) a
$$;

-- purpose: CompleteManually: the step is complete with a result that somebody gives.
create function tasker_core.complete_step_manually(
  p_worker_id integer, p_step_id bigint, p_actor text, p_reason text, p_body json, p_plan json default null
)
returns table (
  outcome text, from_state tasker_core.step_state, to_state tasker_core.step_state,
  from_task_state tasker_core.task_state, task_state tasker_core.task_state, queued integer, namespace_id integer,
  running_worker_id integer
)
language sql volatile set search_path to '' as $$
  select a.* from tasker_core._act_on_step(
    p_worker_id, p_step_id, 'CompleteManually', 'complete_step', p_actor, p_reason, p_body, p_plan) a
$$;

-- 0374_function_contract_transitions.sql
-- purpose: transitions that outside tools ask for (contract/sql.md section 2, code-defined.md). Steps and results decide
--          what a task does next, in the transaction that stores them; so of a task's transitions a tool can make those
--          that end it, and the one that its steps call for. Leases and results stay with workers.

-- Compare and swap: false, and nothing has changed, when the task does not exist, is not in p_from_state, the table
-- lists no such transition, or the task's steps call for another state. Ending a task cancels what could still run in it.
-- p_processor_uuid: recorded with the transition; p_metadata: kept in its transition_metadata.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.transition_task_state_atomic(
  p_task_uuid uuid, p_from_state varchar, p_to_state varchar, p_processor_uuid uuid default null,
  p_metadata jsonb default '{}'
) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_worker_id integer;
  v_state text;
  v_after record;
begin
  -- lock
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  select w.worker_id into v_worker_id from tasker_core.workers w where w.worker_uuid = p_processor_uuid;
  perform tasker_core._lock_task_steps(array[v_task_id]);

  -- guard
  select t.state::text into v_state from tasker_core.tasks t where t.task_id = v_task_id;
  p_from_state := case p_from_state when 'in_progress' then 'steps_in_process' else p_from_state end;  -- its old name
  if v_state is distinct from p_from_state or not exists (
    select from tasker_core.task_transition_rules r
    where r.from_state::text = p_from_state and r.to_state::text = p_to_state)
  then
    return false;
  end if;

  -- change
  if p_to_state in ('cancelled', 'resolved_manually', 'error') then
    return coalesce((
      select c.closed from tasker_core._close_tasks(v_worker_id, array[v_task_id], p_to_state::tasker_core.task_state,
        case p_to_state when 'cancelled' then 'cancel_task' when 'resolved_manually' then 'resolve_task'
          else 'expire_task' end,
        coalesce(p_processor_uuid::text, 'sql'), p_metadata ->> 'reason', nullif(p_metadata, '{}')) c), false);
  end if;
  begin
    select e.* into v_after from tasker_core._reevaluate_task(v_worker_id, v_task_id, tasker.now()) e;
    if v_after.task_state::text is distinct from p_to_state then
      raise exception 'the steps of task % call for %', p_task_uuid, v_after.task_state using errcode = 'TK002';
    end if;
  exception when sqlstate 'TK002' then
    return false;
  end;
  return true;
end $$;

-- Brings a task to where its steps say it belongs. True when it is complete afterwards.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.finalize_task_completion(p_task_uuid uuid, p_processor_uuid uuid default null) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_after record;
begin
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  perform tasker_core._lock_task_steps(array[v_task_id]);
  select e.* into v_after from tasker_core._reevaluate_task(
    (select w.worker_id from tasker_core.workers w where w.worker_uuid = p_processor_uuid), v_task_id, tasker.now()) e;
  return v_after.task_state = 'complete';
end $$;

-- A claim is the transaction's lock on the task and its steps: whoever dies gives it back, and nothing has to expire. False
-- when the task does not exist or is final, or when p_timeout_seconds passed while another transaction held it.
-- p_processor_uuid: accepted for the contract's sake; nothing belongs to a processor.
-- locks: steps ascending, then the task; held to the end of the caller's transaction. sqlstate: 40001, see _lock_task_steps.
create function tasker.claim_task_for_finalization(
  p_task_uuid uuid, p_processor_uuid uuid default null, p_timeout_seconds integer default 10
) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_timeout text := current_setting('lock_timeout');
begin
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  begin
    -- 0 would mean for ever.
    perform set_config('lock_timeout', greatest(1, p_timeout_seconds * 1000) || 'ms', true);
    perform tasker_core._lock_task_steps(array[v_task_id]);
    perform set_config('lock_timeout', v_timeout, true);
  exception when lock_not_available then
    return false;
  end;
  return (select t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
    from tasker_core.tasks t where t.task_id = v_task_id);
end $$;

-- What an operator could do to a step, by its states: to pending (ResetForRetry), cancelled, resolved_manually, or complete
-- (with the result null). False when the step does not exist, is not in p_from_state, or its task is final and would not
-- run it again.
-- locks: steps ascending, then the task. sqlstate: TK001 when the table lists no such transition; TK003 when it does, but
-- only a lease and a result can make it; 40001, see _lock_task_steps.
create function tasker.tasker_update_step_status(p_step_uuid uuid, p_from_state text, p_to_state text) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_step_id bigint := tasker_core._existing_step_id(p_step_uuid);
  v_event text;
begin
  if v_step_id is null then return false; end if;
  if not exists (select from tasker_core.step_transition_rules r
    where r.from_state::text = p_from_state and r.to_state::text = p_to_state)
  then
    raise exception 'step %: no transition leads from % to %', p_step_uuid, p_from_state, p_to_state
      using errcode = 'TK001', hint = (select coalesce('From ' || p_from_state || ' a step goes to '
        || string_agg(distinct r.to_state::text, ', '), 'There is no such state.') from tasker_core.step_transition_rules r
        where r.from_state::text = p_from_state);
  end if;
  select r.event into v_event from tasker_core.step_transition_rules r
  where r.from_state::text = p_from_state and r.to_state::text = p_to_state
    and r.event in ('ResetForRetry', 'Cancel', 'ResolveManually', 'CompleteManually');
  if not found then
    raise exception 'step %: from % to % is for the worker that holds the step', p_step_uuid, p_from_state, p_to_state
      using errcode = 'TK003', hint = 'By hand a step becomes pending (from error), cancelled, resolved_manually or complete.';
  end if;
  perform tasker_core._lock_task_steps(array[v_step_id >> 20]);
  if (select s.state::text from tasker_core.steps s where s.step_id = v_step_id) <> p_from_state then return false; end if;
  return (
    select a.outcome = 'done'
    from tasker_core._act_on_step(null, v_step_id, v_event,
      case v_event when 'ResetForRetry' then 'reset_step' when 'Cancel' then 'cancel_step'
        when 'ResolveManually' then 'resolve_step' else 'complete_step' end,
      'sql', 'tasker_update_step_status',
      case when v_event = 'CompleteManually' then json_build_object('step_uuid', p_step_uuid, 'success', true,
        'result', null, 'status', 'completed', 'metadata', json_build_object('retryable', false,
          'completed_at', tasker.now(), 'custom', json_build_object('manually_completed', true)),
        'error', null, 'orchestration_metadata', null) end) a);
end $$;

-- Another delay for a step that waits for its next attempt, counted from now. False, and nothing has changed, for a step in
-- any other state: there the template's strategy decides when the attempt has failed.
-- locks: the step's timer, then the step, as the hot functions do. sqlstate: 22023 for a negative delay.
create function tasker.set_step_backoff_atomic(p_step_uuid uuid, p_backoff_seconds integer) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_step_id bigint := tasker_core._existing_step_id(p_step_uuid);
begin
  if p_backoff_seconds is null or p_backoff_seconds < 0 then
    raise exception 'expected a delay of 0 seconds or more, got %', p_backoff_seconds using errcode = '22023';
  end if;
  perform 1 from tasker_core.step_timers t where t.step_id = v_step_id for update;
  update tasker_core.steps s set backoff_seconds = p_backoff_seconds, last_attempted_at = v_now, updated_at = v_now
  where s.step_id = v_step_id and s.state = 'waiting_for_retry';
  if not found then return false; end if;
  insert into tasker_core.step_timers (step_id, due_at, kind)
  values (v_step_id, v_now + make_interval(secs => p_backoff_seconds), 'retry')
  on conflict (step_id) do update set due_at = excluded.due_at, kind = excluded.kind;
  return true;
end $$;

-- 0380_function_dlq_entries.sql
-- purpose: makes DLQ entries. Off the hot path.

-- Time-ordered: 48 bits of milliseconds, the version, random bits.
create function tasker_core._uuid_v7(p_at timestamptz) returns uuid
language sql volatile parallel safe
as $$
  select encode(set_bit(set_bit(
    overlay(uuid_send(gen_random_uuid())
      placing substring(int8send(floor(extract(epoch from p_at) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- What an investigator wants to see although it changes later: the task, its counters, and the steps that are not done
-- (the first 200).
create function tasker_core._task_snapshot(p_task_id bigint, p_now timestamptz) returns jsonb
language sql stable set search_path to '' as $$
  select jsonb_build_object(
    'task_uuid', r.task_uuid, 'namespace', n.name, 'name', nt.name, 'version', nt.version, 'state', t.state,
    'state_since', t.state_since, 'snapshot_at', p_now, 'created_at', r.created_at, 'priority', r.priority,
    'correlation_id', r.correlation_id, 'initiator', r.initiator, 'source_system', r.source_system,
    'steps', jsonb_build_object('total', t.n_total, 'complete', t.n_complete, 'cancelled', t.n_cancelled,
      'error', t.n_error, 'in_pipeline', t.n_pipeline, 'waiting_for_retry', t.n_waiting_retry),
    'open_steps', coalesce((
      select jsonb_agg(o.described)
      from (
        select jsonb_build_object('step_uuid', tasker_core.step_uuid(r.task_uuid, s.step_id),
          'name', coalesce(s.name, ts.name), 'state', s.state, 'attempts', s.attempts, 'max_attempts', s.max_attempts,
          'pending_dependencies', s.pending_dependencies, 'last_attempted_at', s.last_attempted_at) as described
        from tasker_core.steps s
        join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
        where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
          and s.state not in ('complete', 'cancelled', 'resolved_manually')
        order by s.step_id limit 200
      ) o), '[]'))
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where t.task_id = p_task_id
$$;

-- Makes an entry; a task that has a pending one keeps it, and `steps` of p_metadata are added to it (100 at most).
-- entry_uuid: null when there is no such task.
create function tasker_core._create_dlq_entry(
  p_task_id bigint, p_reason tasker.dlq_reason, p_metadata jsonb, p_now timestamptz,
  out entry_uuid uuid, out created boolean
)
language sql volatile set search_path to '' as $$
  insert into tasker_core.tasks_dlq as d (dlq_entry_uuid, task_id, original_state, dlq_reason, dlq_timestamp,
    task_snapshot, metadata, created_at, updated_at)
  select tasker_core._uuid_v7(p_now), t.task_id, t.state::text, p_reason, p_now,
    tasker_core._task_snapshot(t.task_id, p_now), p_metadata, p_now, p_now
  from tasker_core.tasks t where t.task_id = p_task_id
  on conflict (task_id) where resolution_status = 'pending' do update set
    metadata = case
      when excluded.metadata ? 'steps' and coalesce(jsonb_array_length(d.metadata -> 'steps'), 0) < 100
        then coalesce(d.metadata, '{}') || jsonb_build_object('steps',
          coalesce(d.metadata -> 'steps', '[]') || (excluded.metadata -> 'steps'))
      else d.metadata
    end,
    updated_at = p_now
  -- Only an inserted row has no earlier version.
  returning d.dlq_entry_uuid, d.xmax = 0
$$;

-- purpose: opens an investigation by hand or from outside. Returns the task's pending entry, which may have been there
--          before; null when the task does not exist.
create function tasker.create_dlq_entry(
  p_task_uuid uuid, p_reason tasker.dlq_reason default 'manual_dlq', p_metadata jsonb default null
) returns uuid
language sql volatile set search_path to '' as $$
  select e.entry_uuid
  from tasker_core.task_requests r, lateral tasker_core._create_dlq_entry(r.task_id, p_reason, p_metadata, tasker.now()) e
  where r.task_uuid = p_task_uuid
$$;

-- 0381_function_final_failures.sql
-- purpose: what the final failure of a step means beyond its task being blocked: `fail_fast` ends the rest of its batch,
--          `isolate` and crash loops open an investigation.

-- The other workers of the fail_fast batches in which one of p_failing may fail for good: for the caller to lock with
-- all others, ascending. p_permanent: those of p_failing that fail whatever attempts they have left.
create function tasker_core._siblings_to_stop(p_failing bigint[], p_permanent bigint[]) returns bigint[]
language plpgsql stable set search_path to '' as $$
declare
  v_workers bigint[];
  v_analyzers bigint[];
begin
  -- Workers carry their strategy in their inputs, written by core/src/lifecycle/plans/batch-workers.ts.
  v_workers := array(
    select s.step_id from tasker_core.steps s
    where s.step_id = any(p_failing) and s.inputs #>> '{batch_metadata,failure_strategy}' = 'fail_fast'
      and (s.step_id = any(p_permanent) or not s.retryable or s.attempts >= s.max_attempts));
  if cardinality(v_workers) = 0 then return '{}'; end if;
  v_analyzers := array(
    select e.from_id from tasker_core.step_edges e where e.to_id = any(v_workers) and e.name = 'batch_dependency');
  return array(
    select e.to_id from tasker_core.step_edges e
    where e.from_id = any(v_analyzers) and e.name = 'batch_dependency' order by e.to_id);
end $$;

-- Called by _settle_steps at its end. p_failed: failed for good, ascending, their states written; p_steps: the rows from
-- before. The caller holds the tasks, and the steps of _siblings_to_stop.
-- locks: messages and timers with skip locked.
create function tasker_core._on_final_failures(
  p_worker_id integer, p_failed bigint[], p_steps tasker_core.steps[], p_now timestamptz
) returns void
language plpgsql set search_path to '' as $$
declare
  v_siblings bigint[] := tasker_core._siblings_to_stop(p_failed, p_failed);
  v_stopped tasker_core.steps[];
  v_entry record;
begin
  if cardinality(v_siblings) > 0 then
    -- As they are now. A result that waits for its settlement is not thrown away.
    select array_agg(s order by s.step_id) into v_stopped
    from tasker_core.steps s
    where s.step_id = any(v_siblings)
      and s.state not in ('complete', 'error', 'cancelled', 'resolved_manually', 'enqueued_for_orchestration');
  end if;
  if v_stopped is not null then
    update tasker_core.steps s set
      state = 'cancelled', leased_until = null, message_id = null, processed_at = p_now, updated_at = p_now,
      lease_token = s.lease_token + case when s.state = 'in_progress' then 1 else 0 end
    where s.step_id = any(array(select x.step_id from unnest(v_stopped) x));
    perform tasker_core._withdraw_steps(v_stopped);
    insert into tasker_core.step_log (step_id, at, move, worker_id)
    select x.step_id, p_now, 'cancel', p_worker_id from unnest(v_stopped) x;
    update tasker_core.tasks t set
      n_cancelled = t.n_cancelled + x.stopped, n_pipeline = t.n_pipeline - x.pipeline,
      n_waiting_retry = t.n_waiting_retry - x.waiting
    from (
      select s.step_id >> 20 as task_id, count(*) as stopped,
        count(*) filter (where s.state = 'waiting_for_retry') as waiting,
        count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_as_error_for_orchestration')) as pipeline
      from unnest(v_stopped) s group by 1
    ) x
    where t.task_id = x.task_id;
    perform tasker_core._tell_workers('task_cancelled', array_agg(s.worker_id), array_agg(s.step_id))
    from unnest(v_stopped) s where s.state = 'in_progress';
  end if;

  for v_entry in
    select x.task_id, x.reason, jsonb_agg(jsonb_build_object(
        'step_uuid', tasker_core.step_uuid(
          (select r.task_uuid from tasker_core.task_requests r where r.task_id = x.task_id), x.step_id),
        'name', coalesce(x.name, (select ts.name from tasker_core.template_steps ts
          where ts.template_step_id = x.template_step_id)),
        'attempts', x.attempts, 'deaths', x.deaths) order by x.step_id) as steps
    from (
      select s.step_id, s.step_id >> 20 as task_id, s.template_step_id, s.name, s.attempts, s.deaths,
        case
          -- A step that the host gave up says so in its result; only one that died can be such a step.
          when s.deaths > 0 and exists (select from tasker_core.step_results r
            where r.step_id = s.step_id and r.token = s.lease_token
              and r.body #>> '{error,error_type}' = 'crash_loop') then 'worker_unavailable'
          when s.failure_tolerated and s.inputs #>> '{batch_metadata,failure_strategy}' = 'isolate'
            then 'max_retries_exceeded'
        end::tasker.dlq_reason as reason
      from unnest(p_steps) s where p_failed[width_bucket(s.step_id, p_failed)] = s.step_id
    ) x
    where x.reason is not null
    group by x.task_id, x.reason
    order by x.task_id, x.reason
  loop
    perform tasker_core._create_dlq_entry(v_entry.task_id, v_entry.reason,
      jsonb_build_object('steps', v_entry.steps), p_now);
  end loop;
end $$;

-- 0382_function_staleness.sql
-- purpose: finds tasks that have stood still for too long, and gives them up (contract/states.md section 9). Off the
--          hot path: reads all open tasks.

-- Minutes that a task may stay in a state; null for states that are not watched. p_lifecycle: of the task's template.
-- evaluating_results is where a task with running steps rests, so it counts as steps_in_process.
create function tasker.calculate_staleness_threshold(
  p_state text, p_lifecycle jsonb, p_waiting_for_dependencies integer default 60,
  p_waiting_for_retry integer default 30, p_steps_in_process integer default 30
) returns integer
language sql immutable parallel safe
as $$
  select case p_state
    when 'waiting_for_dependencies' then
      coalesce((p_lifecycle ->> 'max_waiting_for_dependencies_minutes')::integer, p_waiting_for_dependencies)
    when 'waiting_for_retry' then
      coalesce((p_lifecycle ->> 'max_waiting_for_retry_minutes')::integer, p_waiting_for_retry)
    when 'steps_in_process' then
      coalesce((p_lifecycle ->> 'max_steps_in_process_minutes')::integer, p_steps_in_process)
    when 'evaluating_results' then
      coalesce((p_lifecycle ->> 'max_steps_in_process_minutes')::integer, p_steps_in_process)
  end
$$;

-- How long watched tasks have stood still, and what is to happen when that was too long. p_task_ids: null for all.
-- p_enforce false (compatibility profile): max_duration_minutes and the actions of the template have no effect.
create function tasker_core._staleness(
  p_task_ids bigint[], p_waiting_for_dependencies integer, p_waiting_for_retry integer, p_steps_in_process integer,
  p_max_lifetime_hours integer, p_enforce boolean
) returns table (
  task_id bigint, state tasker_core.task_state, minutes_in_state integer, age_minutes integer,
  threshold_minutes integer, lifetime_minutes integer, is_stale boolean, to_dlq boolean, to_error boolean
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
begin
  return query
  with lifecycles as materialized (
    select t.template_id, (t.compiled #> '{configuration,lifecycle}')::jsonb as lifecycle,
      case when p_enforce
        then coalesce(t.compiled #>> '{configuration,lifecycle,staleness_action}', 'dlq') else 'dlq' end as action
    from tasker_core.templates t
  ), watched as (
    select t.task_id, t.state, t.state_since, l.lifecycle, l.action, tasker.calculate_staleness_threshold(
        -- Waiting for a retry is no state of its own here.
        case when t.state = 'waiting_for_dependencies' and t.n_waiting_retry > 0 then 'waiting_for_retry'
          else t.state::text end,
        l.lifecycle, p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process) as threshold,
      least(p_max_lifetime_hours * 60,
        case when p_enforce then (l.lifecycle ->> 'max_duration_minutes')::integer end) as lifetime,
      extract(epoch from v_now - r.created_at) / 60 as age
    from tasker_core.tasks t
    join lifecycles l on l.template_id = t.template_id
    join tasker_core.task_requests r on r.task_id = t.task_id
    where t.state in ('waiting_for_dependencies', 'waiting_for_retry', 'steps_in_process', 'evaluating_results')
      and (p_task_ids is null or t.task_id = any(p_task_ids))
  ), timed as (
    select w.*, extract(epoch from v_now - case
        when w.state_since > v_now - make_interval(mins => w.threshold) then w.state_since
        -- A task may work for long without a change of its own state.
        when w.state in ('steps_in_process', 'evaluating_results') then greatest(w.state_since, (
          select max(s.updated_at) from tasker_core.steps s
          where s.step_id >= w.task_id << 20 and s.step_id < (w.task_id + 1) << 20))
        else w.state_since
      end) / 60 as still
    from watched w
  )
  select x.task_id, x.state, floor(x.still)::integer, floor(x.age)::integer, x.threshold, x.lifetime,
    x.still >= x.threshold or x.age >= x.lifetime,
    x.action = 'dlq' and (not p_enforce or coalesce((x.lifecycle ->> 'auto_dlq_on_timeout')::boolean, true)),
    x.action in ('dlq', 'error') and (not p_enforce or coalesce((x.lifecycle ->> 'auto_fail_on_timeout')::boolean, true))
  from timed x;
end $$;

-- purpose: stale tasks about which something is to be done, those that have stood still for longest first. A pending
--          entry hides its task, unless it is about one step that failed.
create function tasker.get_stale_tasks_for_dlq(
  p_waiting_for_dependencies integer default 60, p_waiting_for_retry integer default 30,
  p_steps_in_process integer default 30, p_max_lifetime_hours integer default 24, p_limit integer default 100,
  p_enforce_lifecycle boolean default true
) returns table (
  task_uuid uuid, namespace_name text, task_name text, current_state text, time_in_state_minutes integer,
  task_age_minutes integer, staleness_threshold_minutes integer, to_dlq boolean, to_error boolean, task_id bigint
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, nt.name::text, x.state::text, x.minutes_in_state, x.age_minutes, x.threshold_minutes,
    x.to_dlq, x.to_error, x.task_id
  from tasker_core._staleness(null, p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process,
    p_max_lifetime_hours, p_enforce_lifecycle) x
  join tasker_core.task_requests r on r.task_id = x.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where x.is_stale and (x.to_dlq or x.to_error)
    and not exists (select from tasker_core.tasks_dlq d
      where d.task_id = x.task_id and d.resolution_status = 'pending'
        and not (x.to_error and d.dlq_reason in ('max_retries_exceeded', 'worker_unavailable')))
  order by x.minutes_in_state desc, x.task_id
  limit p_limit
$$;

-- purpose: gives a task up: its state is error, what could still run in it is cancelled, and workers that run a step are
--          told. False when the task does not exist or is final.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.transition_stale_task_to_error(p_task_uuid uuid, p_reason text default null) returns boolean
language sql volatile set search_path to '' as $$
  select coalesce((
    select c.closed
    from tasker_core.task_requests r, lateral tasker_core._close_tasks(
      null, array[r.task_id], 'error', 'expire_task', 'staleness_detection', p_reason) c
    where r.task_uuid = p_task_uuid), false)
$$;

-- purpose: one round of staleness detection.
-- action_taken: would_transition_to_dlq_and_error (dry run: nothing is changed) | transitioned_to_dlq_and_error |
--          moved_to_dlq_only | transitioned_to_error_only | transition_failed (the task went on in the meantime).
-- locks: all steps of the stale tasks ascending, then the tasks ascending. sqlstate: 40001, see _lock_task_steps.
create function tasker.detect_and_transition_stale_tasks(
  p_dry_run boolean default true, p_batch_size integer default 100, p_waiting_for_dependencies integer default 60,
  p_waiting_for_retry integer default 30, p_steps_in_process integer default 30,
  p_max_lifetime_hours integer default 24, p_enforce_lifecycle boolean default true
) returns table (
  task_uuid uuid, namespace_name text, task_name text, current_state text, time_in_state_minutes integer,
  staleness_threshold_minutes integer, action_taken text, moved_to_dlq boolean, transition_success boolean,
  task_id bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_ids bigint[];
  v_stale bigint[];
  v_recorded bigint[] := '{}';
  v_closed bigint[] := '{}';
  v_tasks jsonb;
  v_task record;
begin
  -- guard
  select coalesce(array_agg(g.task_id), '{}'), coalesce(jsonb_agg(to_jsonb(g)), '[]') into v_ids, v_tasks
  from tasker.get_stale_tasks_for_dlq(p_waiting_for_dependencies, p_waiting_for_retry, p_steps_in_process,
    p_max_lifetime_hours, p_batch_size, p_enforce_lifecycle) g;

  if not p_dry_run and cardinality(v_ids) > 0 then
    -- lock
    perform tasker_core._lock_task_steps(v_ids);
    -- A new statement: some may have gone on while this waited.
    v_stale := array(
      select s.task_id from tasker_core._staleness(v_ids, p_waiting_for_dependencies, p_waiting_for_retry,
        p_steps_in_process, p_max_lifetime_hours, p_enforce_lifecycle) s where s.is_stale);

    -- change
    for v_task in
      select x.* from jsonb_to_recordset(v_tasks) x(task_id bigint, to_dlq boolean, current_state text,
        time_in_state_minutes integer, task_age_minutes integer, staleness_threshold_minutes integer)
      where x.to_dlq and x.task_id = any(v_stale) order by x.task_id
    loop
      if (select e.created from tasker_core._create_dlq_entry(v_task.task_id, 'staleness_timeout', jsonb_build_object(
        'time_in_state_minutes', v_task.time_in_state_minutes, 'task_age_minutes', v_task.task_age_minutes,
        'staleness_threshold_minutes', v_task.staleness_threshold_minutes), v_now) e)
      then
        v_recorded := v_recorded || v_task.task_id;
      end if;
    end loop;
    v_closed := array(
      select c.task_id from tasker_core._close_tasks(null, array(
          select x.task_id from jsonb_to_recordset(v_tasks) x(task_id bigint, to_error boolean)
          where x.to_error and x.task_id = any(v_stale)),
        'error', 'expire_task', 'staleness_detection', 'stood still for longer than its limits allow') c
      where c.closed);
  end if;

  return query
  select x.task_uuid, x.namespace_name, x.task_name, x.current_state, x.time_in_state_minutes,
    x.staleness_threshold_minutes,
    case
      when p_dry_run then 'would_transition_to_dlq_and_error'
      when x.task_id = any(v_recorded) and x.task_id = any(v_closed) then 'transitioned_to_dlq_and_error'
      when x.task_id = any(v_recorded) then 'moved_to_dlq_only'
      when x.task_id = any(v_closed) then 'transitioned_to_error_only'
      else 'transition_failed'
    end,
    x.task_id = any(v_recorded), x.task_id = any(v_closed), x.task_id
  from jsonb_to_recordset(v_tasks) x(task_uuid uuid, namespace_name text, task_name text, current_state text,
    time_in_state_minutes integer, staleness_threshold_minutes integer, task_id bigint);
end $$;

-- 0383_function_reconcile_messages.sql
-- purpose: a step that should be found in a queue, but has no message there, gets one again: somebody purged the queue, or
--          restored it from elsewhere. Off the hot path. Looks at the steps of up to p_limit tasks behind the task p_after:
--          those that wait for a worker (enqueued, or in progress with an expired lease), and those whose stored result
--          waits for an orchestrator.
-- returns: how many tasks it looked at, how many steps and results it repaired, and where to go on: 0 when there is nothing
--          behind.
-- locks:   steps ascending, skipping held ones: whoever holds one is about to move it. Messages are new rows.
create function tasker_core.reconcile_messages(
  p_limit integer default 1000, p_after bigint default 0,
  out looked_at integer, out repaired integer, out results_repaired integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[];
  v_seen tasker_core.steps[];
  v_ids bigint[];
  v_steps tasker_core.steps[];
  v_queue_id integer;
  v_lost bigint[];
  v_messages bigint[];
begin
  v_task_ids := array(
    select t.task_id from tasker_core.tasks t
    where t.task_id > p_after and t.n_pipeline > 0 order by t.task_id limit p_limit);
  looked_at := cardinality(v_task_ids);
  next_after := case when looked_at = p_limit then v_task_ids[looked_at] else 0 end;
  repaired := 0;
  results_repaired := 0;
  select coalesce(array_agg(x.s), '{}') into v_seen
  from unnest(v_task_ids) i(task_id), lateral (
    select s from tasker_core.steps s
    where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20
      and tasker_core._needs_message(s, v_now)
    offset 0  -- one range of the primary key per task, whatever the planner believes
  ) x;
  v_ids := tasker_core._without_message(v_seen);
  if cardinality(v_ids) = 0 then return; end if;

  -- What was seen is old by now: only rows that are held, and messages looked for afterwards, count.
  select coalesce(array_agg(x.s), '{}') into v_steps
  from (
    select s from tasker_core.steps s
    where s.step_id = any(v_ids) and tasker_core._needs_message(s, v_now)
    order by s.step_id for update skip locked
  ) x;
  v_ids := tasker_core._without_message(v_steps);

  for v_queue_id, v_lost in
    select s.queue_id, array_agg(s.step_id order by s.step_id) from unnest(v_steps) s
    where s.step_id = any(v_ids) and s.state in ('enqueued', 'in_progress') group by s.queue_id
  loop
    execute format('select tasker_core._queue_%s_send($1, $2, $3, $4, $5)', v_queue_id) into v_messages
    using v_lost,
      array(select (select r.task_uuid from tasker_core.task_requests r where r.task_id = x >> 20) from unnest(v_lost) x),
      array(select (select r.correlation_id from tasker_core.task_requests r where r.task_id = x >> 20)
        from unnest(v_lost) x),
      array(select s.callable_id from unnest(v_steps) s where s.step_id = any(v_lost) order by s.step_id), v_now;
    update tasker_core.steps s set message_id = v_messages[width_bucket(s.step_id, v_lost)]
    where s.step_id = any(v_lost);
    repaired := repaired + cardinality(v_lost);
  end loop;

  v_lost := array(
    select s.step_id from unnest(v_steps) s
    where s.step_id = any(v_ids) and s.state not in ('enqueued', 'in_progress') order by 1);
  if cardinality(v_lost) > 0 then
    perform tasker_core._send_results(v_lost, v_now);
    results_repaired := cardinality(v_lost);
  end if;
end $$;

create function tasker_core._needs_message(p_step tasker_core.steps, p_now timestamptz) returns boolean
language sql immutable parallel safe
as $$
  select p_step.state in ('enqueued', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')
    or (p_step.state = 'in_progress' and p_step.leased_until <= p_now)
$$;

-- Which of the steps have no message where their state says that one is.
create function tasker_core._without_message(p_steps tasker_core.steps[]) returns bigint[]
language plpgsql stable set search_path to '' as $$
declare
  v_result bigint[] := '{}';
  v_submitted bigint[];
  v_queue_id integer;
  v_messages bigint[];
  v_missing bigint[];
begin
  for v_queue_id, v_messages in
    select s.queue_id, array_agg(s.message_id) from unnest(p_steps) s
    where s.state in ('enqueued', 'in_progress') group by s.queue_id
  loop
    execute format('select tasker_core._queue_%s_missing($1)', v_queue_id) into v_missing using v_messages;
    v_result := v_result || array(
      select s.step_id from unnest(p_steps) s
      where s.queue_id = v_queue_id and s.state in ('enqueued', 'in_progress')
        and (s.message_id is null or s.message_id = any(v_missing)));
  end loop;
  -- A result's message has no number on its step: one pass over the queue, which is short unless nobody serves it.
  v_submitted := array(
    select s.step_id from unnest(p_steps) s
    where s.state in ('enqueued_for_orchestration', 'enqueued_as_error_for_orchestration'));
  if cardinality(v_submitted) > 0 then
    v_result := v_result || array(
      select x from unnest(v_submitted) x
      except select tasker_core.step_id_in(q.message) from pgmq.q_orchestration_step_results q);
  end if;
  return v_result;
end $$;

-- 0384_function_reconcile_tasks.sql
-- purpose: tasks that would stand still for ever, because what should move them on is gone. Off the hot path. Looks at up
--          to p_limit open tasks behind the task p_after that no failure blocks, and mends
--          - a step that waits for its retry without a timer: it gets one, due when it should have been;
--          - a step that is pending although everything before it is done: it is sent. No sequence of calls leads there,
--            so whoever finds one reports it loudly. Where nothing of a task is in flight, the number of open dependencies
--            is counted again, and the task's counters.
-- returns: how many tasks it looked at, how many timers and steps it repaired, and where to go on: 0 when there is nothing
--          behind.
-- locks:   per repaired task its steps ascending, then the task; tasks ascending, and all of one call's steps before.
-- sqlstate: 40001, see _lock_task_steps.
create function tasker_core.reconcile_tasks(
  p_limit integer default 1000, p_after bigint default 0,
  out looked_at integer, out timers integer, out steps integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[];
  v_suspects bigint[];
  v_repaired tasker_core.steps[];
  v_task_id bigint;
begin
  steps := 0;
  v_task_ids := array(
    select t.task_id from tasker_core.tasks t
    where t.task_id > p_after and tasker_core._is_going_on(t)
    order by t.task_id limit p_limit);
  looked_at := cardinality(v_task_ids);
  next_after := case when looked_at = p_limit then v_task_ids[looked_at] else 0 end;

  -- timers: a step in this state that nobody holds is waiting for nothing else
  with lost as (
    select s.step_id, s.updated_at, s.backoff_seconds
    from tasker_core.steps s
    where s.step_id = any(array(
        select x.step_id from unnest(v_task_ids) i(task_id), lateral (
          select s.step_id from tasker_core.steps s
          where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20 and s.state = 'waiting_for_retry'
          offset 0) x
        where not exists (select from tasker_core.step_timers t where t.step_id = x.step_id)))
      and s.state = 'waiting_for_retry'
    order by s.step_id for update skip locked
  ), made as (
    insert into tasker_core.step_timers (step_id, due_at, kind)
    select l.step_id, l.updated_at + make_interval(secs => coalesce(l.backoff_seconds, 0)), 'retry' from lost l
    on conflict do nothing
    returning 1
  )
  select count(*) into timers from made;

  -- steps: seen without a lock first, since hardly ever is there one
  v_suspects := array(
    select i.task_id from unnest(v_task_ids) i(task_id)
    where exists (
      select from tasker_core.steps s
      where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20
        and s.state = 'pending' and s.pending_dependencies = 0)
    union
    select t.task_id from tasker_core.tasks t
    where t.task_id = any(v_task_ids) and t.n_pipeline = 0 and t.n_waiting_retry = 0);
  if cardinality(v_suspects) = 0 then return; end if;
  perform tasker_core._lock_task_steps(v_suspects);
  -- A new statement: what another transaction was about to do is done now.
  for v_task_id in
    select t.task_id from tasker_core.tasks t
    where t.task_id = any(v_suspects) and tasker_core._is_going_on(t) order by 1
  loop
    update tasker_core.steps s set pending_dependencies = 0, updated_at = v_now
    where s.step_id >= v_task_id << 20 and s.step_id < (v_task_id + 1) << 20
      and s.state = 'pending' and s.pending_dependencies > 0
      and tasker_core._unsatisfied_parents(s.step_id, s.template_step_id) = 0;
    select array_agg(s) into v_repaired from tasker_core.steps s
    where s.step_id >= v_task_id << 20 and s.step_id < (v_task_id + 1) << 20
      and s.state = 'pending' and s.pending_dependencies = 0;
    continue when v_repaired is null;
    perform 1 from tasker_core._reevaluate_task(null, v_task_id, v_now);
    steps := steps + cardinality(v_repaired);
  end loop;
end $$;

create function tasker_core._is_going_on(p_task tasker_core.tasks) returns boolean
language sql immutable parallel safe
as $$
  select p_task.n_error = 0 and p_task.state <> 'blocked_by_failures'
    and p_task.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
$$;

-- purpose: the first task from p_from on that is not final; null when there is none. Final tasks stay final, so whoever
--          remembers the answer and asks again from there does not read the finished ones a second time.
create function tasker_core.first_open_task(p_from bigint) returns bigint
language sql stable set search_path to '' as $$
  select t.task_id from tasker_core.tasks t
  where t.task_id >= p_from and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
  order by t.task_id limit 1
$$;

-- 0385_function_delete_finished_tasks.sql
-- purpose: retention. Deletes tasks that have been final since before p_before, with everything that belongs to them; a
--          task whose DLQ entry is pending stays until somebody resolves it. Off the hot path. Looks at the tasks behind
--          p_after, up to p_look of them, and deletes up to p_limit, or as many as have p_max_steps steps (at least one).
--          The log's rows are left to sweep_log: it has no index that could find them.
-- returns: how many tasks it deleted, and where to go on: 0 when everything behind is too young.
-- locks:   steps ascending, then tasks ascending; then rows that only belong to them. Waits for nobody: a task of which
--          somebody holds a step stays until the next round.
create function tasker_core.delete_finished_tasks(
  p_before timestamptz, p_limit integer default 500, p_after bigint default 0, p_look integer default 10000,
  p_max_steps integer default 20000, out deleted integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_ids bigint[];
  v_step_ids bigint[];
  v_held bigint[];
  v_looked integer;
  v_last bigint;
begin
  -- Ids follow the order of creation, and no task is final before it exists.
  select count(*), max(x.task_id),
    coalesce(array_agg(x.task_id order by x.task_id) filter (where x.is_due and x.steps_before < p_max_steps), '{}')
  into v_looked, v_last, v_ids
  from (
    select l.*, coalesce(sum(l.n_total) filter (where l.is_due)
      over (order by l.task_id rows between unbounded preceding and 1 preceding), 0) as steps_before
    from (
      select t.task_id, t.n_total, tasker_core._is_final(t.state) and t.state_since < p_before
        and not exists (select from tasker_core.tasks_dlq d
          where d.task_id = t.task_id and d.resolution_status = 'pending') as is_due
      from tasker_core.tasks t where t.task_id > p_after order by t.task_id limit p_look
    ) l
  ) x;
  deleted := 0;
  if v_looked = 0 then next_after := 0; return; end if;
  if cardinality(v_ids) > p_limit then v_ids := v_ids[1:p_limit]; end if;

  if cardinality(v_ids) > 0 then
    -- lock
    v_step_ids := array(
      select s.step_id from unnest(v_ids) i(task_id), lateral (
        select s.step_id from tasker_core.steps s
        where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20 offset 0) s
      order by 1);
    v_held := array(
      select x.step_id from (
        select s.step_id from tasker_core.steps s where s.step_id = any(v_step_ids)
        order by s.step_id for update skip locked) x);
    v_ids := array(
      select i from unnest(v_ids) i
      except select x >> 20 from (select unnest(v_step_ids) except select unnest(v_held)) u(x));
    v_ids := array(
      select x.task_id from (
        select t.task_id from tasker_core.tasks t
        where t.task_id = any(v_ids) and tasker_core._is_final(t.state) and t.state_since < p_before
        order by t.task_id for update skip locked) x);
    -- A new statement: an investigation may have been opened meanwhile.
    v_ids := array(
      select i from unnest(v_ids) i
      except select d.task_id from tasker_core.tasks_dlq d
        where d.task_id = any(v_ids) and d.resolution_status = 'pending'
      order by 1);
    v_step_ids := array(select x from unnest(v_step_ids) x where x >> 20 = any(v_ids) order by 1);
    deleted := cardinality(v_ids);

    -- delete
    perform tasker_core._withdraw_steps(array(select s from tasker_core.steps s where s.step_id = any(v_step_ids)));
    delete from tasker_core.step_edges e where e.from_id = any(v_step_ids);
    delete from tasker_core.step_checkpoints c where c.step_id = any(v_step_ids);
    delete from tasker_core.step_results r where r.step_id = any(v_step_ids);
    delete from tasker_core.steps s where s.step_id = any(v_step_ids);
    delete from tasker_core.operator_actions a where a.task_id = any(v_ids);
    delete from tasker_core.tasks_dlq d where d.task_id = any(v_ids);
    delete from tasker_core.task_identities i
    where i.identity_hash = any(array(
        select r.identity_hash from tasker_core.task_requests r where r.task_id = any(v_ids)))
      and i.task_id = any(v_ids);
    delete from tasker_core.task_requests r where r.task_id = any(v_ids);
    delete from tasker_core.tasks t where t.task_id = any(v_ids);
  end if;

  next_after := case
    when deleted > 0 then v_ids[deleted]
    when v_looked = p_look and (select r.created_at from tasker_core.task_requests r where r.task_id = v_last) < p_before
      then v_last
    else 0
  end;
end $$;

create function tasker_core._is_final(p_state tasker_core.task_state) returns boolean
language sql immutable parallel safe
as $$ select p_state in ('complete', 'error', 'cancelled', 'resolved_manually') $$;

-- purpose: takes the audit trail of deleted tasks away: looks at p_blocks blocks of each log from block p_from on. Not by
--          partition: a partition holds long-running tasks beside short ones, so dropping it would take history from
--          tasks that are still there, and a row says no more than that its task has gone. A log read in the order in
--          which it lies on disk needs no index, which would cost every write of the hot path.
-- returns: rows deleted, and where to go on: 0 at the end.
-- locks:   rows of the logs that nobody else writes.
create function tasker_core.sweep_log(
  p_from bigint, p_blocks integer default 1000, out deleted bigint, out next_from bigint
)
language plpgsql set search_path to '' as $$
declare
  v_to bigint := p_from + p_blocks;
  v_low tid := format('(%s,0)', p_from)::tid;
  v_high tid := format('(%s,0)', v_to)::tid;
  v_gone bigint[];
  v_count bigint;
begin
  -- Tasks are made in one commit with their first row, so one that is not there has been deleted.
  v_gone := array(
    select distinct l.step_id >> 20 from tasker_core.step_log l where l.ctid >= v_low and l.ctid < v_high
    union select distinct l.task_id from tasker_core.task_log l where l.ctid >= v_low and l.ctid < v_high);
  v_gone := array(select g from unnest(v_gone) g except select t.task_id from tasker_core.tasks t where t.task_id = any(v_gone));
  deleted := 0;
  if cardinality(v_gone) > 0 then
    delete from tasker_core.step_log l where l.ctid >= v_low and l.ctid < v_high and l.step_id >> 20 = any(v_gone);
    get diagnostics deleted = row_count;
    delete from tasker_core.task_log l where l.ctid >= v_low and l.ctid < v_high and l.task_id = any(v_gone);
    get diagnostics v_count = row_count;
    deleted := deleted + v_count;
  end if;
  next_from := case when v_to * current_setting('block_size')::bigint
    < greatest(pg_relation_size('tasker_core.step_log'), pg_relation_size('tasker_core.task_log')) then v_to else 0 end;
end $$;

-- purpose: messages of worker queues that nobody could read were archived by claim_steps; those archived before p_before go.
-- returns: messages deleted.
create function tasker_core.delete_archived_messages(p_before timestamptz, p_limit integer default 1000) returns bigint
language plpgsql set search_path to '' as $$
declare
  v_table text;
  v_count bigint;
  v_deleted bigint := 0;
begin
  for v_table in
    select distinct format('pgmq.%I', 'a_' || lower(tasker_core._queue_name(n.name, n.namespace_id * 4 + c)))
    from tasker_core.namespaces n, generate_series(0, 2) c order by 1
  loop
    execute format('delete from %1$s where msg_id = any(array(
      select a.msg_id from %1$s a where a.archived_at < $1 order by a.archived_at limit $2))', v_table)
    using p_before, p_limit;
    get diagnostics v_count = row_count;
    v_deleted := v_deleted + v_count;
  end loop;
  return v_deleted;
end $$;

-- 0386_function_queue_depths.sql
-- purpose: what waits in each queue: three per namespace, one per class of priority, and those of the orchestrators (namespace
--          and class null). For metrics and health; counts every message, so not for the hot path.
-- returns: depth, all messages; visible, those that nobody holds; oldest_seconds, how long the oldest visible one has
--          waited (null: none waits).
create function tasker_core.queue_depths()
returns table (
  queue_name text, namespace text, class integer, depth bigint, visible bigint, oldest_seconds double precision
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_queue record;
begin
  for v_queue in
    select tasker_core._queue_name(n.name, n.namespace_id * 4 + c.class) as name, n.name::text as namespace, c.class
    from tasker_core.namespaces n, generate_series(0, 2) c(class)
    union all
    select q, null, null from unnest(array['orchestration_step_results', 'orchestration_task_requests',
      'orchestration_task_finalizations']) q
    order by 2 nulls first, 3 desc, 1
  loop
    queue_name := v_queue.name;
    namespace := v_queue.namespace;
    class := v_queue.class;
    execute format('select count(*), count(*) filter (where q.vt <= $1),
        extract(epoch from $1 - min(q.enqueued_at) filter (where q.vt <= $1))
      from pgmq.%I q', 'q_' || lower(v_queue.name))
    into depth, visible, oldest_seconds using v_now;
    return next;
  end loop;
end $$;

-- 0387_function_queue_positions.sql
-- purpose: how long the way of a step's message still is, for people who ask why it does not run. Counts messages, so not for
--          the hot path.
-- returns: one row per step that names a message: present false when there is none any more; visible_at, when it may be read;
--          ahead, readable messages before it in its own queue, and higher, those in the namespace's queues of higher priority.
create function tasker_core.queue_positions(p_step_ids bigint[])
returns table (
  step_id bigint, queue_name text, class integer, present boolean, visible_at timestamptz, ahead bigint, higher bigint
)
language plpgsql stable set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_step record;
  v_count bigint;
begin
  for v_step in
    select s.step_id, s.queue_id, s.message_id, n.name::text as namespace
    from tasker_core.steps s join tasker_core.namespaces n on n.namespace_id = s.queue_id >> 2
    where s.step_id = any(p_step_ids) and s.message_id is not null order by s.step_id
  loop
    step_id := v_step.step_id;
    queue_name := tasker_core._queue_name(v_step.namespace, v_step.queue_id);
    class := v_step.queue_id & 3;
    execute format('select q.vt from pgmq.%I q where q.msg_id = $1', 'q_' || lower(queue_name))
    into visible_at using v_step.message_id;
    present := visible_at is not null;
    execute format('select count(*) from pgmq.%I q where q.msg_id < $1 and q.vt <= $2', 'q_' || lower(queue_name))
    into ahead using v_step.message_id, v_now;
    higher := 0;
    for v_higher in class + 1 .. 2 loop
      execute format('select count(*) from pgmq.%I q where q.vt <= $1',
        'q_' || lower(tasker_core._queue_name(v_step.namespace, (v_step.queue_id >> 2) * 4 + v_higher)))
      into v_count using v_now;
      higher := higher + v_count;
    end loop;
    return next;
  end loop;
end $$;

-- 0390_function_publish_events.sql
-- purpose: domain events (contract/wire-types.md section 7) of accepted results, in the results' own transaction: an
--          event is in its queue exactly when its result is stored, and a repeat, which is not accepted, adds nothing.
-- p_accepted ascending; the others one entry per event. A message that the queue cannot hold (a code point that jsonb has
--          not, a queue that was dropped) is left out and reported: no event fails the step that it is about.
-- rows:    refused_event per message that was left out: step_id, status (why), number (its place in p_messages, from 1).
-- locks:   none; messages are new rows.
create function tasker_core._publish_events(
  p_accepted bigint[], p_step_ids bigint[], p_queues text[], p_messages text[]
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_places integer[] := array(
    select i from generate_subscripts(p_step_ids, 1) i
    where p_accepted[width_bucket(p_step_ids[i], p_accepted)] = p_step_ids[i] order by i);
  v_place integer;
begin
  if cardinality(v_places) = 0 then return; end if;
  begin
    perform pgmq.send_batch(x.queue, x.messages)
    from (
      select p_queues[i] as queue, array_agg(p_messages[i]::jsonb order by i) as messages
      from unnest(v_places) i group by p_queues[i]
    ) x;
    return;
  exception when others then
    -- One of them: each by itself finds out which.
    null;
  end;
  foreach v_place in array v_places loop
    begin
      perform pgmq.send(p_queues[v_place], p_messages[v_place]::jsonb);
    exception when others then
      return query select 'refused_event', p_step_ids[v_place], null::bigint, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, sqlerrm, null::timestamptz, null::integer, null::timestamptz, v_place::bigint;
    end;
  end loop;
end $$;

-- purpose: the queue `<namespace>_domain_events`, made when a template that publishes durable events is registered.
-- locks:   an advisory lock per namespace while the queue is made.
create function tasker_core.create_domain_event_queue(p_namespace text) returns void
language plpgsql set search_path to '' as $$
declare
  v_queue text := p_namespace || '_domain_events';
begin
  perform pg_advisory_xact_lock(hashtextextended('tasker.domain_events.' || p_namespace, 0));
  if not exists (select from pgmq.meta m where m.queue_name = v_queue) then
    perform pgmq.create(v_queue);
  end if;
end $$;

-- 0400_trigger_queue_created.sql
-- purpose: tells listeners of pgmq_queue_created about every new queue, whoever made it (contract/sql.md section 3).
create function tasker_core._announce_queue() returns trigger
language plpgsql set search_path to '' as $$
begin
  perform pg_notify('pgmq_queue_created', jsonb_build_object('event_type', 'queue_created',
    'queue_name', new.queue_name, 'namespace', tasker.extract_queue_namespace(new.queue_name),
    'created_at', new.created_at)::text);
  return null;
end $$;

-- Where an administrator installed PGMQ, its tables are not ours: then queues are made without the announcement.
do $$
begin
  create trigger queues_are_announced after insert on pgmq.meta
  for each row execute function tasker_core._announce_queue();
exception when insufficient_privilege then
  raise notice 'pgmq.meta belongs to somebody else: new queues are not announced on pgmq_queue_created';
end $$;

-- 0500_view_contract_tables.sql
-- purpose: the contract's tables (contract/sql.md section 1) as views over the physical ones: same names, columns and
--          types (timestamp without time zone, UTC). Writes go through functions.
create view tasker.task_namespaces as
select n.namespace_uuid as task_namespace_uuid, n.name, n.description,
  n.created_at at time zone 'UTC' as created_at, n.updated_at at time zone 'UTC' as updated_at
from tasker_core.namespaces n;

create view tasker.named_tasks as
select t.named_task_uuid, n.namespace_uuid as task_namespace_uuid, t.name, t.version, t.description, t.configuration,
  t.identity_strategy, t.created_at at time zone 'UTC' as created_at, t.updated_at at time zone 'UTC' as updated_at
from tasker_core.named_tasks t join tasker_core.namespaces n on n.namespace_id = t.namespace_id;

create view tasker.named_steps as
select s.named_step_uuid, s.name,
  -- Templates share the name; the one registered last has the word.
  (select left(tp.compiled #>> array['steps', (ts.template_step_id & 1048575)::text, 'definition', 'description'], 255)
   from tasker_core.template_steps ts join tasker_core.templates tp on tp.template_id = ts.template_step_id >> 20
   where ts.named_step_id = s.named_step_id order by ts.template_step_id desc limit 1)::varchar(255) as description,
  s.created_at at time zone 'UTC' as created_at, s.created_at at time zone 'UTC' as updated_at
from tasker_core.named_steps s;

create view tasker.tasks as
select r.task_uuid, n.named_task_uuid, t.state = 'complete' as complete, r.requested_at at time zone 'UTC' as requested_at,
  t.completed_at at time zone 'UTC' as completed_at, r.initiator, r.source_system, r.reason, r.tags::jsonb as tags,
  r.context::jsonb as context, r.identity_hash, r.priority, r.correlation_id, r.parent_correlation_id,
  r.created_at at time zone 'UTC' as created_at, t.state_since at time zone 'UTC' as updated_at,
  t.state::text as state, t.task_id
from tasker_core.tasks t
join tasker_core.task_requests r on r.task_id = t.task_id
join tasker_core.named_tasks n on n.named_task_id = r.named_task_id;

create view tasker.workflow_steps as
select tasker_core.step_uuid(r.task_uuid, s.step_id) as workflow_step_uuid, r.task_uuid, ns.named_step_uuid,
  s.retryable, s.max_attempts, s.state = 'in_progress' as in_process,
  s.state in ('complete', 'cancelled', 'resolved_manually') as processed,
  s.processed_at at time zone 'UTC' as processed_at, s.attempts,
  s.last_attempted_at at time zone 'UTC' as last_attempted_at, s.backoff_seconds as backoff_request_seconds,
  coalesce(s.inputs::jsonb, (
    select nullif((tp.compiled #> array['steps', (s.template_step_id & 1048575)::text, 'inputs'])::text, 'null')::jsonb
    from tasker_core.templates tp where tp.template_id = (s.template_step_id >> 20)
  )) as inputs,
  (select sr.body::jsonb from tasker_core.step_results sr where sr.step_id = s.step_id
   order by sr.token desc limit 1) as results,
  (select tasker_core._checkpoint_json(c)::jsonb from tasker_core.step_checkpoints c where c.step_id = s.step_id)
    as checkpoint,
  r.priority, s.created_at at time zone 'UTC' as created_at,
  s.updated_at at time zone 'UTC' as updated_at,
  coalesce(s.name, ns.name) as name, s.state::text as state, s.step_id
from tasker_core.steps s
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
join tasker_core.task_requests r on r.task_id = s.step_id >> 20;

-- Template edges are arithmetic: rendered, not stored. Their uuid is derived so that it is stable.
create view tasker.workflow_step_edges as
select md5(p.step_id || ':' || s.step_id || ':provides')::uuid as workflow_step_edge_uuid,
  tasker_core.step_uuid(r.task_uuid, p.step_id) as from_step_uuid,
  tasker_core.step_uuid(r.task_uuid, s.step_id) as to_step_uuid, 'provides'::varchar as name,
  s.created_at at time zone 'UTC' as created_at, s.created_at at time zone 'UTC' as updated_at
from tasker_core.steps s
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id and ts.initial
cross join unnest(ts.dependencies) d(ordinal)
join tasker_core.steps p on p.step_id = ((s.step_id >> 20) << 20) + d.ordinal
join tasker_core.template_steps pts on pts.template_step_id = p.template_step_id and pts.initial
join tasker_core.task_requests r on r.task_id = s.step_id >> 20
union all
select md5(e.from_id || ':' || e.to_id || ':' || e.name)::uuid, tasker_core.step_uuid(r.task_uuid, e.from_id),
  tasker_core.step_uuid(r.task_uuid, e.to_id), e.name, e.created_at at time zone 'UTC', e.created_at at time zone 'UTC'
from tasker_core.step_edges e join tasker_core.task_requests r on r.task_id = e.from_id >> 20
where e.name <> 'batch_turn';

-- 0501_view_transitions.sql
-- purpose: the transition history of the contract, expanded from the logs: one row per transition, in order.
create view tasker.task_transitions as
select md5('task:' || x.log_id || ':' || x.n)::uuid as task_transition_uuid, r.task_uuid,
  lag(x.state) over w as from_state, x.state as to_state,
  jsonb_build_object('event', x.event) as metadata,
  jsonb_build_object('event', x.event) || coalesce(jsonb_strip_nulls(
    jsonb_build_object('actor', a.actor, 'reason', a.reason)) || a.metadata, '{}') as transition_metadata,
  wk.worker_uuid as processor_uuid, (row_number() over w)::integer as sort_key,
  lead(x.state) over w is null as most_recent,
  x.at at time zone 'UTC' as created_at, x.at at time zone 'UTC' as updated_at
from (
  select l.log_id, l.task_id, l.at, l.worker_id, p.n, p.state::text as state, m.events[p.n] as event
  from tasker_core.task_log l
  join tasker_core.task_moves m on m.from_state is not distinct from l.from_state and m.to_state = l.to_state
  cross join unnest(m.path) with ordinality p(state, n)
) x
join tasker_core.task_requests r on r.task_id = x.task_id
left join tasker_core.workers wk on wk.worker_id = x.worker_id
-- Who ended a task by hand, and why; a task is ended once.
left join tasker_core.operator_actions a
  on a.task_id = x.task_id and a.step_id is null and a.to_state = x.state and a.at = x.at
window w as (partition by x.task_id order by x.log_id, x.n);

create view tasker.workflow_step_transitions as
select md5('step:' || x.step_id || ':' || x.log_id || ':' || x.n)::uuid as workflow_step_transition_uuid,
  tasker_core.step_uuid(r.task_uuid, x.step_id) as workflow_step_uuid,
  lag(x.state) over w as from_state, x.state as to_state,
  -- A transition that brought a result was made when that was stored; `data` is the result.
  jsonb_build_object('event', (jsonb_build_object('type', x.event) || coalesce((
      select jsonb_build_object('data', sr.body::jsonb) from tasker_core.step_results sr
      where x.event in ('EnqueueForOrchestration', 'EnqueueAsErrorForOrchestration', 'CompleteManually')
        and sr.step_id = x.step_id and sr.recorded_at = x.at and (sr.worker_id = 0) = (x.event = 'CompleteManually')
      order by sr.token desc limit 1), '{}'))::text, 'timestamp', x.at,
    'worker_uuid', wk.worker_uuid, 'correlation_id', r.correlation_id) as metadata,
  (row_number() over w)::integer as sort_key, lead(x.state) over w is null as most_recent,
  x.at at time zone 'UTC' as created_at, x.at at time zone 'UTC' as updated_at
from (
  -- Every step starts as pending; that first transition is the row's creation and is not logged again.
  select 0::bigint as log_id, s.step_id, s.created_at as at, null::integer as worker_id, 1::bigint as n,
    'pending' as state, 'Created' as event
  from tasker_core.steps s
  union all
  select l.log_id, l.step_id, l.at, l.worker_id, p.n, p.state::text, m.events[p.n]
  from tasker_core.step_log l
  join tasker_core.step_moves m on m.move = l.move
  cross join unnest(m.path) with ordinality p(state, n)
) x
join tasker_core.task_requests r on r.task_id = x.step_id >> 20
left join tasker_core.workers wk on wk.worker_id = x.worker_id
window w as (partition by x.step_id order by x.log_id, x.n);

create view tasker.workflow_step_result_audit as
select md5('result:' || sr.step_id || ':' || sr.token)::uuid as workflow_step_result_audit_uuid,
  tasker_core.step_uuid(r.task_uuid, sr.step_id) as workflow_step_uuid,
  -- The transition that handed the result over: the first of its move.
  md5('step:' || l.step_id || ':' || l.log_id || ':1')::uuid as workflow_step_transition_uuid, r.task_uuid,
  sr.recorded_at at time zone 'UTC' as recorded_at, w.worker_uuid, r.correlation_id, sr.success,
  sr.execution_ms::bigint as execution_time_ms, sr.recorded_at at time zone 'UTC' as created_at,
  sr.recorded_at at time zone 'UTC' as updated_at
-- A result given by hand is no worker's submission. Each of the others was logged by one move, in the same order.
from (
  select s.*, row_number() over (partition by s.step_id order by s.token) as n
  from tasker_core.step_results s where s.worker_id <> 0
) sr
join tasker_core.task_requests r on r.task_id = sr.step_id >> 20
left join tasker_core.workers w on w.worker_id = sr.worker_id
left join (
  select g.step_id, g.log_id, row_number() over (partition by g.step_id order by g.log_id) as n
  from tasker_core.step_log g
  where g.move in ('submit_success', 'submit_error', 'succeed', 'retry_later', 'fail')
) l on l.step_id = sr.step_id and l.n = sr.n;

-- 0510_function_execution_context.sql
-- purpose: counts and derived status of a task (contract/states.md section 4), from its steps; and the same from the
--          counters, so that a test can compare the two after every command.
create function tasker_core.execution_status(
  p_total integer, p_completed integer, p_cancelled integer, p_failed integer, p_ready integer, p_pipeline integer
) returns text
language sql immutable parallel safe
as $$
  select case
    when p_failed > 0 then 'blocked_by_failures'
    when p_ready > 0 then 'has_ready_steps'
    when p_pipeline > 0 then 'processing'
    when p_total > 0 and p_completed + p_cancelled = p_total and p_completed > 0 then 'all_complete'
    else 'waiting_for_dependencies'
  end
$$;

create function tasker.get_task_execution_context(p_task_uuid uuid)
returns table (
  task_uuid uuid, named_task_uuid uuid, status text, total_steps bigint, pending_steps bigint,
  in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
  recommended_action text, completion_percentage numeric, health_status text, enqueued_steps bigint
)
language sql stable set search_path to '' as $$
  select c.task_uuid, c.named_task_uuid, c.status, c.total, c.pending, c.in_progress, c.completed, c.failed, c.ready,
    c.execution_status,
    case c.execution_status
      when 'blocked_by_failures' then 'handle_failures'
      when 'has_ready_steps' then 'execute_ready_steps'
      when 'processing' then 'wait_for_completion'
      when 'all_complete' then 'finalize_task'
      else 'wait_for_dependencies'
    end,
    case when c.total = 0 then 0 else round(c.completed::numeric / c.total * 100, 2) end,
    case when c.failed > 0 then 'blocked' else 'healthy' end,
    c.enqueued
  from (
    select x.*, tasker_core.execution_status(x.total::integer, x.completed::integer, x.cancelled::integer,
      x.failed::integer, x.ready::integer, (x.in_progress + x.enqueued)::integer) as execution_status
    from (
      select r.task_uuid, n.named_task_uuid, t.state::text as status, count(s.step_id) as total,
        count(*) filter (where s.state = 'pending') as pending,
        count(*) filter (where s.state = 'in_progress') as in_progress,
        count(*) filter (where s.state in ('complete', 'resolved_manually')
          or (s.state = 'error' and s.failure_tolerated)) as completed,
        count(*) filter (where s.state = 'error' and not s.failure_tolerated) as failed,
        count(*) filter (where s.state = 'cancelled') as cancelled,
        count(*) filter (where s.state in
          ('enqueued', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')) as enqueued,
        count(*) filter (where s.state in ('pending', 'waiting_for_retry') and s.pending_dependencies = 0
          and (s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts))
          and (s.state = 'pending' or not exists (
            select from tasker_core.step_timers st where st.step_id = s.step_id and st.due_at > tasker.now()))) as ready
      from tasker_core.task_requests r
      join tasker_core.tasks t on t.task_id = r.task_id
      join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
      left join tasker_core.steps s on s.step_id >= r.task_id << 20 and s.step_id < (r.task_id + 1) << 20
      where r.task_uuid = p_task_uuid
      group by r.task_uuid, n.named_task_uuid, t.state
    ) x
  ) c
$$;

create function tasker.get_current_task_state(p_task_uuid uuid) returns varchar
language sql stable set search_path to '' as $$
  select t.state::varchar from tasker_core.task_requests r join tasker_core.tasks t on t.task_id = r.task_id
  where r.task_uuid = p_task_uuid
$$;

-- Tasks whose counters differ from what their steps say. Empty, always: the suites end by calling it.
create function tasker_core.recount_tasks() returns table (task_id bigint, counter text, stored bigint, counted bigint)
language sql stable set search_path to '' as $$
  select t.task_id, c.name, c.stored, c.counted
  from tasker_core.tasks t
  cross join lateral (
    select count(*) as total,
      count(*) filter (where s.state in ('complete', 'resolved_manually')
        or (s.state = 'error' and s.failure_tolerated)) as complete,
      count(*) filter (where s.state = 'cancelled') as cancelled,
      count(*) filter (where s.state = 'error' and not s.failure_tolerated) as error,
      count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_for_orchestration',
        'enqueued_as_error_for_orchestration')) as pipeline,
      count(*) filter (where s.state = 'waiting_for_retry') as waiting_retry
    from tasker_core.steps s where s.step_id >= t.task_id << 20 and s.step_id < (t.task_id + 1) << 20
  ) s
  cross join lateral (values
    ('n_total', t.n_total::bigint, s.total), ('n_complete', t.n_complete::bigint, s.complete),
    ('n_cancelled', t.n_cancelled::bigint, s.cancelled), ('n_error', t.n_error::bigint, s.error),
    ('n_pipeline', t.n_pipeline::bigint, s.pipeline), ('n_waiting_retry', t.n_waiting_retry::bigint, s.waiting_retry)
  ) c(name, stored, counted)
  where c.stored <> c.counted
$$;

-- Pending steps whose counter differs from their unsatisfied incoming edges. Empty, always.
create function tasker_core.recount_dependencies() returns table (step_id bigint, stored integer, counted bigint)
language sql stable set search_path to '' as $$
  select s.step_id, s.pending_dependencies, e.unsatisfied
  from tasker_core.steps s
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  cross join lateral (
    select count(*) as unsatisfied
    from (
      select (s.step_id >> 20 << 20) + d.ordinal as parent_id
      from unnest(ts.dependencies) d(ordinal)
      join tasker_core.template_steps pts on pts.template_step_id = (ts.template_step_id >> 20 << 20) + d.ordinal
      where ts.initial and pts.initial
      union all
      select x.from_id from tasker_core.step_edges x where x.to_id = s.step_id
    ) p
    join tasker_core.steps ps on ps.step_id = p.parent_id
    where ps.state not in ('complete', 'resolved_manually') and not (ps.state = 'error' and ps.failure_tolerated)
  ) e
  where s.state = 'pending' and s.pending_dependencies <> e.unsatisfied
$$;

-- 0511_function_task_edges.sql
-- purpose: what readers of a task's graph start from: its step that a uuid names, and its edges, those of the template
--          between initial steps and those made at run time, each pair once. Steps are found by range, never by step_id >> 20.
-- Null when the uuid names no step: the id inside it must belong to the task whose half it carries.
create function tasker_core._existing_step_id(p_step_uuid uuid) returns bigint
language sql stable set search_path to '' as $$
  select s.step_id
  from tasker_core.steps s
  join tasker_core.task_requests r on r.task_id = tasker_core.step_id_of(p_step_uuid) >> 20
  where s.step_id = tasker_core.step_id_of(p_step_uuid)
    and tasker_core.step_uuid(r.task_uuid, s.step_id) = p_step_uuid
$$;

create function tasker_core._task_edges(p_task_id bigint) returns table (from_id bigint, to_id bigint)
language sql stable set search_path to '' as $$
  select p.step_id, s.step_id
  from tasker_core.steps s
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id and ts.initial
  cross join unnest(ts.dependencies) d(ordinal)
  join tasker_core.steps p on p.step_id = (p_task_id << 20) + d.ordinal
  join tasker_core.template_steps pts on pts.template_step_id = p.template_step_id and pts.initial
  where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
  union
  select e.from_id, e.to_id
  from tasker_core.step_edges e
  where e.from_id >= p_task_id << 20 and e.from_id < (p_task_id + 1) << 20 and e.name <> 'batch_turn'
$$;

-- 0512_function_step_next_retry_time.sql
-- purpose: when a step may be tried again, by the formula of contract/states.md section 3; null when nothing delays it.
create function tasker.calculate_step_next_retry_time(
  p_backoff_request_seconds integer, p_last_attempted_at timestamp without time zone,
  p_failure_time timestamp without time zone, p_attempts integer, p_max_backoff_seconds integer default 60,
  p_backoff_multiplier numeric default 2.0
) returns timestamp without time zone
language sql immutable parallel safe set search_path to '' as $$
  select case
    when p_backoff_request_seconds is not null and p_last_attempted_at is not null
      then p_last_attempted_at + make_interval(secs => p_backoff_request_seconds)
    when p_failure_time is not null then p_failure_time + make_interval(secs =>
      -- Past 64 doublings every cap is exceeded; the bound keeps power() finite.
      least(power(p_backoff_multiplier::double precision, least(coalesce(p_attempts, 1), 64)), p_max_backoff_seconds))
  end
$$;

-- Seconds before the next attempt after p_attempts attempts, without jitter (contract/states.md section 6).
create function tasker.calculate_backoff_delay(
  p_attempts integer, p_base_seconds integer default 1, p_max_backoff_seconds integer default 60,
  p_backoff_multiplier numeric default 2.0
) returns integer
language sql immutable parallel safe set search_path to '' as $$
  select floor(least(
    p_base_seconds * power(p_backoff_multiplier::double precision, least(coalesce(p_attempts, 1), 64)),
    p_max_backoff_seconds))::integer
$$;

-- 0513_function_step_readiness.sql
-- purpose: readiness of steps (contract/states.md section 3). A parent counts by its own state whether or not the caller
--          asked for it. next_retry_at is the timer that will fire, for a failed step the formula; a step that is neither
--          waits for no time, so null. A batch worker that waits for its turn has its dependencies satisfied but is not
--          ready. last_failure_at is the latest failed result, or when the step entered error.
-- The rule itself. p_next_retry_time: null when nothing delays the step.
create function tasker.evaluate_step_state_readiness(
  p_current_state text, p_processed boolean, p_in_process boolean, p_dependencies_satisfied boolean,
  p_retry_eligible boolean, p_next_retry_time timestamp without time zone default null
) returns boolean
language sql stable parallel safe
as $$
  select p_current_state in ('pending', 'waiting_for_retry') and not p_processed and not p_in_process
    and p_dependencies_satisfied and p_retry_eligible
    and (p_next_retry_time is null or p_next_retry_time <= tasker.now() at time zone 'UTC')
$$;

create function tasker_core._step_readiness(p_task_ids bigint[])
returns table (
  step_id bigint, workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.step_id, tasker_core.step_uuid(x.task_uuid, x.step_id), x.task_uuid, x.named_step_uuid, x.name::text,
    x.state::text, x.satisfied, x.eligible,
    tasker.evaluate_step_state_readiness(x.state::text, false, false,
      x.satisfied and (x.state <> 'pending' or x.pending = 0), x.eligible,
      case when x.state = 'waiting_for_retry' then x.due_at at time zone 'UTC' end),
    x.failed_at at time zone 'UTC',
    case x.state
      when 'waiting_for_retry' then x.due_at at time zone 'UTC'
      when 'error' then tasker.calculate_step_next_retry_time(x.backoff_seconds,
        x.last_attempted_at at time zone 'UTC', x.failed_at at time zone 'UTC', x.attempts)
    end,
    x.total, x.completed, x.attempts, x.max_attempts, x.backoff_seconds, x.last_attempted_at at time zone 'UTC'
  from (
    select s.step_id, r.task_uuid, ns.named_step_uuid, coalesce(s.name, ns.name) as name, s.state,
      coalesce(p.total, 0) as total, coalesce(p.completed, 0) as completed,
      coalesce(p.total = p.completed, true) as satisfied,
      s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts) as eligible,
      (select st.due_at from tasker_core.step_timers st where st.step_id = s.step_id) as due_at,
      coalesce(
        (select sr.recorded_at from tasker_core.step_results sr
         where sr.step_id = s.step_id and not sr.success order by sr.token desc limit 1),
        case when s.state = 'error' then s.updated_at end) as failed_at,
      s.attempts, s.max_attempts, s.backoff_seconds, s.last_attempted_at, s.pending_dependencies as pending
    from (select distinct u.task_id from unnest(p_task_ids) u(task_id)) k
    join tasker_core.task_requests r on r.task_id = k.task_id
    join tasker_core.steps s on s.step_id >= k.task_id << 20 and s.step_id < (k.task_id + 1) << 20
    join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
    join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
    left join (
      select e.to_id, count(*)::integer as total, (count(*) filter (
        where ps.state in ('complete', 'resolved_manually') or (ps.state = 'error' and ps.failure_tolerated)
      ))::integer as completed
      from (select distinct u.task_id from unnest(p_task_ids) u(task_id)) q
      cross join lateral tasker_core._task_edges(q.task_id) e
      join tasker_core.steps ps on ps.step_id = e.from_id
      group by e.to_id
    ) p on p.to_id = s.step_id
  ) x
$$;

create function tasker.get_step_readiness_status_batch(p_task_uuids uuid[], p_step_uuids uuid[] default null)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.workflow_step_uuid, x.task_uuid, x.named_step_uuid, x.name, x.current_state, x.dependencies_satisfied,
    x.retry_eligible, x.ready_for_execution, x.last_failure_at, x.next_retry_at, x.total_parents, x.completed_parents,
    x.attempts, x.max_attempts, x.backoff_request_seconds, x.last_attempted_at
  from tasker_core._step_readiness(array(
    select r.task_id from tasker_core.task_requests r where r.task_uuid = any(p_task_uuids))) x
  where p_step_uuids is null or x.workflow_step_uuid = any(p_step_uuids)
  order by x.task_uuid, x.workflow_step_uuid
$$;

create function tasker.get_step_readiness_status(p_task_uuid uuid, p_step_uuids uuid[] default null)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select * from tasker.get_step_readiness_status_batch(array[p_task_uuid], p_step_uuids)
$$;

create function tasker.get_ready_steps(p_task_uuid uuid)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, name text, current_state text,
  dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
  last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer,
  completed_parents integer, attempts integer, max_attempts integer, backoff_request_seconds integer,
  last_attempted_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select x.* from tasker.get_step_readiness_status(p_task_uuid) x where x.ready_for_execution
$$;

-- Null when the uuid names no step.
create function tasker.check_step_dependencies(p_step_uuid uuid) returns boolean
language sql stable set search_path to '' as $$
  select x.dependencies_satisfied
  from tasker_core._step_readiness(array[tasker_core._existing_step_id(p_step_uuid) >> 20]) x
  where x.workflow_step_uuid = p_step_uuid
$$;

-- 0514_function_step_graph.sql
-- purpose: questions about a task's graph: levels, ancestors, whether an edge would close a cycle; and the graph as a view.
-- Longest path from a root. Rows are deduplicated per (step, level), so a wide graph does not multiply its paths; the
-- bound ends a walk in a graph that is no DAG.
create function tasker.calculate_dependency_levels(p_task_uuid uuid)
returns table (workflow_step_uuid uuid, dependency_level integer)
language sql stable set search_path to '' as $$
  with recursive task as materialized (
    select r.task_id, r.task_uuid, t.n_total
    from tasker_core.task_requests r join tasker_core.tasks t on t.task_id = r.task_id
    where r.task_uuid = p_task_uuid
  ), edges as materialized (
    select e.* from task, tasker_core._task_edges(task.task_id) e
  ), levels as (
    select s.step_id, 0 as level
    from task join tasker_core.steps s on s.step_id >= task.task_id << 20 and s.step_id < (task.task_id + 1) << 20
    where not exists (select from edges e where e.to_id = s.step_id)
    union
    select e.to_id, l.level + 1
    from levels l join edges e on e.from_id = l.step_id
    where l.level < (select n_total from task)
  )
  select tasker_core.step_uuid((select task_uuid from task), l.step_id), max(l.level)
  from levels l group by l.step_id order by 2, 1
$$;

-- distance 1 is a direct parent; a step reached over paths of different lengths appears once per length.
create function tasker.get_step_transitive_dependencies(p_step_uuid uuid)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, step_name text, results jsonb, processed boolean,
  distance integer
)
language sql stable set search_path to '' as $$
  with recursive target as materialized (
    select tasker_core._existing_step_id(p_step_uuid) as step_id
  ), edges as materialized (
    select e.* from target, tasker_core._task_edges(target.step_id >> 20) e
  ), ancestors as (
    select e.from_id as step_id, 1 as distance from target join edges e on e.to_id = target.step_id
    union
    select e.from_id, a.distance + 1 from ancestors a join edges e on e.to_id = a.step_id where a.distance < 50
  )
  select tasker_core.step_uuid(r.task_uuid, s.step_id), r.task_uuid, ns.named_step_uuid,
    coalesce(s.name, ns.name)::text,
    (select sr.body::jsonb from tasker_core.step_results sr where sr.step_id = s.step_id order by sr.token desc limit 1),
    s.state in ('complete', 'cancelled', 'resolved_manually'), a.distance
  from ancestors a
  join tasker_core.steps s on s.step_id = a.step_id
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
  join tasker_core.task_requests r on r.task_id = a.step_id >> 20
  order by a.distance, s.step_id
$$;

-- Whether the edge from -> to would close a cycle: `to` reaches `from` already.
create function tasker.detect_cycle(p_from_step_uuid uuid, p_to_step_uuid uuid) returns boolean
language sql stable set search_path to '' as $$
  with recursive ends as materialized (
    select tasker_core._existing_step_id(p_from_step_uuid) as from_id,
      tasker_core._existing_step_id(p_to_step_uuid) as to_id
  ), edges as materialized (
    select e.* from ends, tasker_core._task_edges(ends.to_id >> 20) e
  ), reached as (
    select to_id as step_id from ends
    union
    select e.to_id from reached r join edges e on e.from_id = r.step_id
  )
  select exists (select from reached r, ends where r.step_id = ends.from_id)
$$;

create function tasker_core._task_dag(p_task_id bigint)
returns table (
  step_id bigint, parent_ids bigint[], child_ids bigint[], min_depth integer
)
language sql stable set search_path to '' as $$
  with recursive edges as materialized (
    select e.* from tasker_core._task_edges(p_task_id) e
  ), steps as materialized (
    select s.step_id,
      array(select e.from_id from edges e where e.to_id = s.step_id order by 1) as parent_ids,
      array(select e.to_id from edges e where e.from_id = s.step_id order by 1) as child_ids
    from tasker_core.steps s where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
  ), depths as (
    select s.step_id, 0 as depth from steps s where s.parent_ids = '{}'
    union
    select e.to_id, d.depth + 1 from depths d join edges e on e.from_id = d.step_id
    where d.depth < (select count(*) from steps)
  )
  select s.step_id, s.parent_ids, s.child_ids, min(d.depth)
  from steps s left join depths d on d.step_id = s.step_id
  group by s.step_id, s.parent_ids, s.child_ids
$$;

create view tasker.step_dag_relationships as
select tasker_core.step_uuid(r.task_uuid, d.step_id) as workflow_step_uuid, r.task_uuid, ns.named_step_uuid,
  (select coalesce(jsonb_agg(tasker_core.step_uuid(r.task_uuid, u.id) order by u.id), '[]') from unnest(d.parent_ids) u(id))
    as parent_step_uuids,
  (select coalesce(jsonb_agg(tasker_core.step_uuid(r.task_uuid, u.id) order by u.id), '[]') from unnest(d.child_ids) u(id))
    as child_step_uuids,
  cardinality(d.parent_ids)::bigint as parent_count, cardinality(d.child_ids)::bigint as child_count,
  d.parent_ids = '{}' as is_root_step, d.child_ids = '{}' as is_leaf_step, d.min_depth as min_depth_from_root
from tasker_core.task_requests r
cross join lateral tasker_core._task_dag(r.task_id) d
join tasker_core.steps s on s.step_id = d.step_id
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id;

-- 0515_function_next_ready_tasks.sql
-- purpose: tasks that polling should look at next (contract/states.md sections 5 and 9). A priority ages: it grows during
--          the first hour in a state, then fades, so that a task that is stuck does not keep others from their turn.
create function tasker_core._computed_priority(
  p_priority integer, p_created_at timestamptz, p_state_since timestamptz, p_now timestamptz
) returns numeric
language sql immutable parallel safe set search_path to '' as $$
  select case
    when p_now - p_state_since < interval '1 hour'
      then p_priority + extract(epoch from p_now - p_created_at) / 3600 * 0.1
    when p_now - p_state_since < interval '24 hours'
      then p_priority * exp(-extract(epoch from p_now - p_state_since) / 3600 / 12)
    else 0.1
  end
$$;

create function tasker_core._ready_steps_count(p_task_id bigint) returns bigint
language sql stable set search_path to '' as $$
  select count(*)
  from tasker_core.steps s
  where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
    and s.state in ('pending', 'waiting_for_retry') and s.pending_dependencies = 0
    and (s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts))
    and (s.state = 'pending' or not exists (
      select from tasker_core.step_timers st where st.step_id = s.step_id and st.due_at > tasker.now()))
$$;

create function tasker.get_task_ready_info(p_task_uuid uuid)
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, r.priority, ns.name::text, tasker_core._ready_steps_count(t.task_id),
    tasker_core._computed_priority(r.priority, r.created_at, t.state_since, tasker.now()), t.state::text
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where r.task_uuid = p_task_uuid
$$;

-- Steps in error make a task blocked, whatever else is ready: the counter tells without looking at its steps.
create function tasker.get_next_ready_tasks(p_limit integer default 5)
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, r.priority, ns.name::text, c.ready,
    tasker_core._computed_priority(r.priority, r.created_at, t.state_since, tasker.now()) as computed, t.state::text
  from tasker_core.tasks t
  cross join lateral (select tasker_core._ready_steps_count(t.task_id) as ready) c
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  -- By the task's own row first: steps are counted only of those that are left.
  where (t.state = 'pending' or (t.n_error = 0 and (
      (t.state = 'waiting_for_dependencies' and t.state_since >= tasker.now() - interval '60 minutes')
      or (t.state = 'waiting_for_retry' and t.state_since >= tasker.now() - interval '30 minutes'))))
    and (t.state = 'pending' or c.ready > 0)
  order by computed desc, r.created_at, t.task_id
  limit p_limit
$$;

create function tasker.get_next_ready_task()
returns table (
  task_uuid uuid, task_name text, priority integer, namespace_name text, ready_steps_count bigint,
  computed_priority numeric, current_state text
)
language sql stable set search_path to '' as $$
  select * from tasker.get_next_ready_tasks(1)
$$;

create function tasker.get_task_execution_contexts_batch(p_task_uuids uuid[])
returns table (
  task_uuid uuid, named_task_uuid uuid, status text, total_steps bigint, pending_steps bigint,
  in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
  recommended_action text, completion_percentage numeric, health_status text, enqueued_steps bigint
)
language sql stable set search_path to '' as $$
  select c.*
  from (select distinct u.id from unnest(p_task_uuids) u(id)) k
  cross join lateral tasker.get_task_execution_context(k.id) c
  order by c.task_uuid
$$;

create function tasker.find_stuck_tasks(p_minutes integer default 10)
returns table (
  task_uuid uuid, task_name text, namespace_name text, current_state text, minutes_in_state numeric,
  state_since timestamp without time zone
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, ns.name::text, t.state::text,
    round(extract(epoch from tasker.now() - t.state_since) / 60, 2), t.state_since at time zone 'UTC'
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
    and t.state_since <= tasker.now() - make_interval(mins => p_minutes)
  order by t.state_since, t.task_id
$$;

-- 0516_function_system_health_counts.sql
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

-- 0517_function_analytics_metrics.sql
-- purpose: figures of a period, by default the last hour. A task counts as completed or failed when one of its steps did,
--          as the contract says: a task can be both. Rates are percentages of those outcomes, durations seconds.
create function tasker.get_analytics_metrics(p_since timestamptz default null)
returns table (
  active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
  system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
  completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
  step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz
)
language sql stable set search_path to '' as $$
  with period as materialized (
    select tasker.now() as until, coalesce(p_since, tasker.now() - interval '1 hour') as since
  ), ended as materialized (
    select s.step_id >> 20 as task_id, s.state, coalesce(s.processed_at, s.updated_at) as at,
      extract(epoch from s.processed_at - s.last_attempted_at) as seconds
    from tasker_core.steps s, period p
    where s.state in ('complete', 'error')
      and coalesce(s.processed_at, s.updated_at) >= least(p.since, p.until - interval '1 hour')
  ), outcomes as (
    select count(distinct e.task_id) filter (where e.state = 'complete' and e.at >= p.since) as completions,
      count(distinct e.task_id) filter (where e.state = 'error' and e.at >= p.since) as errors,
      count(distinct e.task_id) filter (where e.state = 'complete' and e.at >= p.until - interval '1 hour') as hour_good,
      count(distinct e.task_id) filter (where e.state = 'error' and e.at >= p.until - interval '1 hour') as hour_bad,
      count(*) filter (where e.state = 'complete' and e.at >= p.since) as steps,
      avg(e.seconds) filter (where e.state = 'complete' and e.at >= p.since) as seconds
    from ended e, period p
  )
  select (select count(*) from tasker_core.tasks t
      where t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')),
    (select count(*) from tasker_core.namespaces), (select count(*) from tasker_core.named_tasks),
    coalesce(round(o.hour_good::numeric / nullif(o.hour_good + o.hour_bad, 0), 4), 1.0),
    (select count(*) from tasker_core.task_requests r where r.created_at >= p.since), o.completions, o.errors,
    coalesce(round(o.completions * 100.0 / nullif(o.completions + o.errors, 0), 2), 0),
    coalesce(round(o.errors * 100.0 / nullif(o.completions + o.errors, 0), 2), 0),
    coalesce((select round(avg(extract(epoch from t.completed_at - r.requested_at)), 3)
      from tasker_core.tasks t join tasker_core.task_requests r on r.task_id = t.task_id
      where t.completed_at >= p.since), 0),
    coalesce(round(o.seconds, 3), 0), o.steps, p.since, p.until
  from outcomes o, period p
$$;

-- 0518_function_slowest.sql
-- purpose: the slowest steps and tasks of a period, single and per definition. A step's duration is its last attempt, a
--          task's is from request to completion; a task or step that is not finished has none and is left out.
create function tasker.get_slowest_steps(
  p_since timestamptz default null, p_limit integer default 10, p_namespace text default null,
  p_task_name text default null, p_version text default null
)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, step_name text, task_name text, namespace_name text, version text,
  duration_seconds numeric, attempts integer, created_at timestamp without time zone,
  completed_at timestamp without time zone, retryable boolean, step_status text
)
language sql stable set search_path to '' as $$
  select tasker_core.step_uuid(r.task_uuid, s.step_id), r.task_uuid, coalesce(s.name, d.name)::text, n.name::text,
    ns.name::text, n.version::text,
    round(extract(epoch from s.processed_at - coalesce(s.last_attempted_at, s.created_at)), 3) as duration, s.attempts,
    s.created_at at time zone 'UTC', s.processed_at at time zone 'UTC', s.retryable, s.state::text
  from tasker_core.steps s
  join tasker_core.task_requests r on r.task_id = s.step_id >> 20
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.named_steps d on d.named_step_id = ts.named_step_id
  where s.state = 'complete' and s.processed_at is not null
    and s.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
    and (p_namespace is null or ns.name = p_namespace) and (p_task_name is null or n.name = p_task_name)
    and (p_version is null or n.version = p_version)
  order by duration desc, s.step_id
  limit p_limit
$$;

create function tasker.get_slowest_tasks(
  p_since timestamptz default null, p_limit integer default 10, p_namespace text default null,
  p_task_name text default null, p_version text default null
)
returns table (
  task_uuid uuid, task_name text, namespace_name text, version text, duration_seconds numeric, step_count bigint,
  completed_steps bigint, error_steps bigint, created_at timestamp without time zone,
  completed_at timestamp without time zone, initiator text, source_system text
)
language sql stable set search_path to '' as $$
  select r.task_uuid, n.name::text, ns.name::text, n.version::text,
    round(extract(epoch from t.completed_at - r.requested_at), 3) as duration, t.n_total::bigint,
    t.n_complete::bigint, t.n_error::bigint, r.created_at at time zone 'UTC', t.completed_at at time zone 'UTC',
    r.initiator::text, r.source_system::text
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where t.completed_at is not null and r.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
    and (p_namespace is null or ns.name = p_namespace) and (p_task_name is null or n.name = p_task_name)
    and (p_version is null or n.version = p_version)
  order by duration desc, t.task_id
  limit p_limit
$$;

-- error_rate is a share, 0..1. An execution is a step that finished or failed for good.
create function tasker.get_slowest_steps_aggregated(
  p_since timestamptz default null, p_limit integer default 10, p_min_executions integer default 5
)
returns table (
  namespace_name text, task_name text, version text, step_name text, average_duration_seconds numeric,
  max_duration_seconds numeric, execution_count bigint, error_count bigint, error_rate numeric,
  last_executed_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select ns.name::text, n.name::text, n.version::text, d.name::text, coalesce(round(avg(x.seconds), 3), 0) as average,
    coalesce(round(max(x.seconds), 3), 0), count(*), count(*) filter (where x.failed),
    round(count(*) filter (where x.failed)::numeric / count(*), 4), max(x.ended_at) at time zone 'UTC'
  from (
    select s.step_id >> 20 as task_id, s.template_step_id, s.state = 'error' as failed, e.ended_at,
      extract(epoch from e.ended_at - coalesce(s.last_attempted_at, s.created_at)) as seconds
    from tasker_core.steps s
    cross join lateral (select case when s.state = 'error' then s.updated_at else s.processed_at end as ended_at) e
    where s.state in ('complete', 'error') and s.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
  ) x
  join tasker_core.task_requests r on r.task_id = x.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  join tasker_core.template_steps ts on ts.template_step_id = x.template_step_id
  join tasker_core.named_steps d on d.named_step_id = ts.named_step_id
  group by ns.name, n.name, n.version, d.name
  having count(*) >= p_min_executions
  order by average desc, ns.name, n.name, n.version, d.name
  limit p_limit
$$;

create function tasker.get_slowest_tasks_aggregated(
  p_since timestamptz default null, p_limit integer default 10, p_min_executions integer default 5
)
returns table (
  namespace_name text, task_name text, version text, average_duration_seconds numeric, max_duration_seconds numeric,
  execution_count bigint, average_step_count numeric, error_count bigint, error_rate numeric,
  last_executed_at timestamp without time zone
)
language sql stable set search_path to '' as $$
  select ns.name::text, n.name::text, n.version::text, coalesce(round(avg(x.seconds), 3), 0) as average,
    coalesce(round(max(x.seconds), 3), 0), count(*), round(avg(x.n_total), 2), count(*) filter (where x.failed),
    round(count(*) filter (where x.failed)::numeric / count(*), 4), max(x.ended_at) at time zone 'UTC'
  from (
    select r.named_task_id, t.n_total, t.state <> 'complete' as failed, e.ended_at,
      extract(epoch from e.ended_at - r.requested_at) as seconds
    from tasker_core.tasks t
    join tasker_core.task_requests r on r.task_id = t.task_id
    cross join lateral (select coalesce(t.completed_at, t.state_since) as ended_at) e
    where t.state in ('complete', 'error', 'blocked_by_failures')
      and r.created_at >= coalesce(p_since, tasker.now() - interval '24 hours')
  ) x
  join tasker_core.named_tasks n on n.named_task_id = x.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  group by ns.name, n.name, n.version
  having count(*) >= p_min_executions
  order by average desc, ns.name, n.name, n.version
  limit p_limit
$$;

-- 0519_function_pgmq_messages.sql
-- purpose: single messages of a queue for outside tools, and sending with a notification (contract/sql.md section 3).
-- locks:   the message that is named, nothing else.
-- raises:  22023 for a name that no queue can have; 42P01 for a queue that does not exist.
create function tasker.extract_queue_namespace(p_queue_name text) returns text
language sql immutable parallel safe set search_path to '' as $$
  select case
    when p_queue_name ~ '^orchestration' then 'orchestration'
    else coalesce(substring(p_queue_name from '^worker_(.+)_queue$'), substring(p_queue_name from '^(.+)_queue$'), 'default')
  end
$$;

-- Characters of a message that still travels inside its notification.
create function tasker.pgmq_payload_size_threshold() returns integer
language sql immutable parallel safe as $$ select 7000 $$;

create function tasker_core._queue_table(p_queue_name text) returns text
language plpgsql stable set search_path to '' as $$
declare
  v_table text := format('pgmq.%I', 'q_' || lower(p_queue_name));
begin
  if p_queue_name is null or p_queue_name !~ '^[A-Za-z0-9_]{1,47}$' then
    raise exception 'queue name % is not 1 to 47 letters, digits or underscores', quote_nullable(p_queue_name)
      using errcode = '22023';
  end if;
  if to_regclass(v_table) is null then
    raise exception 'queue % does not exist: create it with pgmq.create', p_queue_name using errcode = '42P01';
  end if;
  return v_table;
end $$;

-- True when the column was missing: tables of old PGMQ versions have none.
create function tasker.pgmq_ensure_headers_column(p_queue_name text) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_table text := tasker_core._queue_table(p_queue_name);
begin
  if exists (select from pg_catalog.pg_attribute a
    where a.attrelid = to_regclass(v_table) and a.attname = 'headers' and not a.attisdropped)
  then
    return false;
  end if;
  execute format('alter table %s add column headers jsonb', v_table);
  return true;
end $$;

-- A row only if the message is visible; it is then hidden for p_vt_seconds.
create function tasker.pgmq_read_specific_message(p_queue_name text, p_msg_id bigint, p_vt_seconds integer default 30)
returns table (msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb)
language plpgsql set search_path to '' as $$
begin
  return query execute format(
    'update %s q set vt = tasker.now() + make_interval(secs => $2), read_ct = q.read_ct + 1
     where q.msg_id = $1 and q.vt <= tasker.now()
     returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message', tasker_core._queue_table(p_queue_name))
  using p_msg_id, p_vt_seconds;
end $$;

create function tasker.pgmq_delete_specific_message(p_queue_name text, p_msg_id bigint) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_count bigint;
begin
  execute format('delete from %s q where q.msg_id = $1', tasker_core._queue_table(p_queue_name)) using p_msg_id;
  get diagnostics v_count = row_count;
  return v_count > 0;
end $$;

create function tasker.pgmq_extend_vt_specific_message(p_queue_name text, p_msg_id bigint, p_vt_seconds integer default 30)
returns boolean
language plpgsql set search_path to '' as $$
declare
  v_count bigint;
begin
  execute format('update %s q set vt = tasker.now() + make_interval(secs => $2) where q.msg_id = $1',
    tasker_core._queue_table(p_queue_name)) using p_msg_id, p_vt_seconds;
  get diagnostics v_count = row_count;
  return v_count > 0;
end $$;

create function tasker_core._notify_queue(p_namespace text, p_payload jsonb) returns void
language plpgsql set search_path to '' as $$
begin
  perform pg_notify('pgmq_message_ready.' || p_namespace, p_payload::text);
  perform pg_notify('pgmq_message_ready', p_payload::text);
end $$;

create function tasker.pgmq_send_with_notify(p_queue_name text, p_message jsonb, p_delay_seconds integer default 0)
returns bigint
language plpgsql set search_path to '' as $$
declare
  v_namespace text := tasker.extract_queue_namespace(p_queue_name);
  v_length integer := length(p_message::text);
  v_msg_id bigint;
  v_base jsonb;
  v_whole jsonb;
begin
  perform tasker_core._queue_table(p_queue_name);
  select s.id into v_msg_id from pgmq.send(p_queue_name, p_message, p_delay_seconds) s(id);
  v_base := jsonb_build_object('msg_id', v_msg_id, 'queue_name', p_queue_name, 'namespace', v_namespace,
    'ready_at', tasker.now() + make_interval(secs => p_delay_seconds), 'delay_seconds', p_delay_seconds);
  v_whole := v_base || jsonb_build_object('event_type', 'message_with_payload', 'message', p_message);
  -- A notification holds less than 8000 bytes, and characters may be more than one: too long would fail the send.
  if v_length < tasker.pgmq_payload_size_threshold() and octet_length(v_whole::text) < 7900 then
    perform tasker_core._notify_queue(v_namespace, v_whole);
  elsif v_length > 7800 then
    perform tasker_core._notify_queue(v_namespace,
      v_base - 'delay_seconds' || '{"event_type": "message_ready", "payload_omitted": true, "truncated": true}');
  else
    perform tasker_core._notify_queue(v_namespace,
      v_base || '{"event_type": "message_ready", "payload_omitted": true}');
  end if;
  return v_msg_id;
end $$;

-- One notification for up to 200 messages, so that their ids fit.
create function tasker.pgmq_send_batch_with_notify(p_queue_name text, p_messages jsonb[], p_delay_seconds integer default 0)
returns setof bigint
language plpgsql set search_path to '' as $$
declare
  v_namespace text := tasker.extract_queue_namespace(p_queue_name);
  v_ids bigint[];
begin
  perform tasker_core._queue_table(p_queue_name);
  v_ids := array(select s.id from pgmq.send_batch(p_queue_name, p_messages, p_delay_seconds) s(id));
  for i in 1 .. cardinality(v_ids) by 200 loop
    perform tasker_core._notify_queue(v_namespace, jsonb_build_object('event_type', 'batch_ready',
      'msg_ids', v_ids[i : i + 199], 'queue_name', p_queue_name, 'namespace', v_namespace,
      'message_count', cardinality(v_ids[i : i + 199]), 'delay_seconds', p_delay_seconds,
      'ready_at', tasker.now() + make_interval(secs => p_delay_seconds)));
  end loop;
  return query select unnest(v_ids);
end $$;

-- 0520_function_task_summary.sql
-- purpose: a task at a glance, the JSON of contract/rest.md 2.7 (GET /v1/tasks/{uuid}/summary), without payloads.
create function tasker.get_task_summaries(p_task_uuids uuid[]) returns table (task_uuid uuid, summary jsonb)
language sql stable set search_path to '' as $$
  select r.task_uuid, jsonb_build_object(
    'task', jsonb_build_object('task_uuid', r.task_uuid, 'name', n.name, 'namespace', ns.name, 'version', n.version,
      'status', c.status, 'created_at', r.created_at, 'updated_at', t.state_since, 'completed_at', t.completed_at,
      'initiator', r.initiator, 'source_system', r.source_system, 'reason', r.reason,
      'correlation_id', r.correlation_id, 'total_steps', c.total_steps, 'pending_steps', c.pending_steps,
      'in_progress_steps', c.in_progress_steps, 'completed_steps', c.completed_steps, 'failed_steps', c.failed_steps)
      || jsonb_build_object('completion_percentage', c.completion_percentage, 'health_status', c.health_status,
      'execution_status', c.execution_status, 'recommended_action', c.recommended_action),
    'template', jsonb_build_object('steps', (
      select coalesce(jsonb_agg(jsonb_build_object('name', ts.name, 'step_type', ts.step_type, 'handler', k.name,
        'dependencies', (select coalesce(jsonb_agg(p.name order by p.template_step_id), '[]')
          from tasker_core.template_steps p
          where p.template_step_id in (select (t.template_id::bigint << 20) + o.n from unnest(ts.dependencies) o(n))),
        'retryable', ts.retryable, 'max_attempts', ts.max_attempts) order by ts.template_step_id), '[]')
      from tasker_core.template_steps ts join tasker_core.callables k on k.callable_id = ts.callable_id
      where ts.template_step_id >= t.template_id::bigint << 20
        and ts.template_step_id < (t.template_id + 1)::bigint << 20)),
    'steps', (
      select coalesce(jsonb_agg(jsonb_build_object('step_uuid', x.workflow_step_uuid, 'name', x.name,
        'current_state', x.current_state, 'created_at', s.created_at at time zone 'UTC',
        'completed_at', s.processed_at at time zone 'UTC', 'last_attempted_at', x.last_attempted_at,
        'attempts', x.attempts, 'max_attempts', x.max_attempts,
        'dependencies_satisfied', x.dependencies_satisfied, 'retry_eligible', x.retry_eligible,
        'error', case when jsonb_typeof(e.body -> 'error') = 'object' then jsonb_build_object(
          'error_type', e.body #> '{error,error_type}',
          'retryable', coalesce(e.body #> '{error,retryable}', 'false'),
          'status_code', e.body #> '{error,status_code}') end) order by s.created_at, s.step_id), '[]')
      from tasker_core._step_readiness(array[t.task_id]) x
      join tasker_core.steps s on s.step_id = x.step_id
      left join lateral (select sr.body::jsonb as body from tasker_core.step_results sr
        where sr.step_id = s.step_id order by sr.token desc limit 1) e on true),
    'dlq', coalesce(
      (select jsonb_build_object('in_dlq', true, 'dlq_reason', d.dlq_reason, 'resolution_status', d.resolution_status)
       from tasker_core.tasks_dlq d where d.task_id = r.task_id and d.resolution_status = 'pending'),
      '{"in_dlq": false, "dlq_reason": null, "resolution_status": null}'::jsonb),
    'links', jsonb_build_object('task', '/v1/tasks/' || r.task_uuid,
      'steps', '/v1/tasks/' || r.task_uuid || '/workflow_steps', 'dlq', '/v1/dlq'))
  from tasker_core.task_requests r
  join tasker_core.tasks t on t.task_id = r.task_id
  join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  cross join lateral tasker.get_task_execution_context(r.task_uuid) c
  where r.task_uuid = any(p_task_uuids)
  order by r.task_uuid
$$;

-- Null when there is no such task.
create function tasker.get_task_summary(p_task_uuid uuid) returns jsonb
language sql stable set search_path to '' as $$
  select x.summary from tasker.get_task_summaries(array[p_task_uuid]) x
$$;

-- 0521_view_named_tasks_named_steps.sql
-- purpose: which steps a named task's current template has. The uuid is derived so that it is stable.
create view tasker.named_tasks_named_steps as
select md5('ntns:' || t.named_task_id || ':' || ns.named_step_id)::uuid as ntns_uuid, t.named_task_uuid,
  ns.named_step_uuid, ts.retryable as default_retryable, ts.max_attempts as default_max_attempts,
  t.created_at at time zone 'UTC' as created_at, t.updated_at at time zone 'UTC' as updated_at
from tasker_core.named_tasks t
join tasker_core.template_steps ts on ts.template_step_id >= t.current_template_id::bigint << 20
  and ts.template_step_id < (t.current_template_id + 1)::bigint << 20
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id;

-- 0522_function_code_defined_helpers.sql
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

-- 0540_view_dlq.sql
-- purpose: DLQ and staleness as operators read them (contract/sql.md section 1, rest.md section 2.7).
create view tasker.tasks_dlq as
select d.dlq_entry_uuid, r.task_uuid, d.original_state, d.dlq_reason, d.dlq_timestamp at time zone 'UTC' as dlq_timestamp,
  d.resolution_status, d.resolution_timestamp at time zone 'UTC' as resolution_timestamp, d.resolution_notes,
  d.resolved_by, d.task_snapshot, d.metadata, d.created_at at time zone 'UTC' as created_at,
  d.updated_at at time zone 'UTC' as updated_at
from tasker_core.tasks_dlq d join tasker_core.task_requests r on r.task_id = d.task_id;

-- One row per reason that has entries.
create function tasker_core._dlq_dashboard(p_namespaces text[]) returns table (
  dlq_reason tasker.dlq_reason, total_entries bigint, pending bigint, manually_resolved bigint, permanent_failures bigint,
  cancelled bigint, oldest_entry timestamp, newest_entry timestamp, avg_resolution_time_minutes double precision)
language sql stable set search_path to '' as $$
select d.dlq_reason, count(*) as total_entries,
  count(*) filter (where d.resolution_status = 'pending') as pending,
  count(*) filter (where d.resolution_status = 'manually_resolved') as manually_resolved,
  count(*) filter (where d.resolution_status = 'permanently_failed') as permanent_failures,
  count(*) filter (where d.resolution_status = 'cancelled') as cancelled,
  min(d.dlq_timestamp) at time zone 'UTC' as oldest_entry, max(d.dlq_timestamp) at time zone 'UTC' as newest_entry,
  (avg(extract(epoch from d.resolution_timestamp - d.dlq_timestamp)) / 60)::double precision as avg_resolution_time_minutes
from tasker_core.tasks_dlq d
where tasker_core._task_within(d.task_id, p_namespaces)
group by d.dlq_reason
$$;

create view tasker.v_dlq_dashboard as select x.* from tasker_core._dlq_dashboard(null) x;

-- Pending entries, most urgent first.
create view tasker.v_dlq_investigation_queue as
select x.dlq_entry_uuid, x.task_uuid, x.original_state, x.dlq_reason, x.dlq_timestamp, x.minutes_in_dlq,
  x.namespace_name, x.task_name, x.current_state, x.time_in_state_minutes,
  case x.dlq_reason
    when 'dependency_cycle_detected' then 1000
    when 'max_retries_exceeded' then 500
    when 'staleness_timeout' then 100
    when 'worker_unavailable' then 50
    else 10
  end + x.minutes_in_dlq as priority_score
from (
  select d.dlq_entry_uuid, r.task_uuid, d.original_state, d.dlq_reason,
    d.dlq_timestamp at time zone 'UTC' as dlq_timestamp,
    (extract(epoch from tasker.now() - d.dlq_timestamp) / 60)::double precision as minutes_in_dlq,
    n.name as namespace_name, nt.name as task_name, t.state::text as current_state,
    floor(extract(epoch from tasker.now() - t.state_since) / 60)::integer as time_in_state_minutes
  from tasker_core.tasks_dlq d
  join tasker_core.task_requests r on r.task_id = d.task_id
  join tasker_core.tasks t on t.task_id = d.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where d.resolution_status = 'pending'
) x
order by priority_score desc;

-- How many tasks of a kind are in which state, and for how long.
create view tasker.v_task_state_analysis as
select n.name as namespace_name, nt.name as task_name, t.state::text as current_state, count(*) as task_count,
  (avg(extract(epoch from tasker.now() - t.state_since)) / 60)::double precision as avg_minutes_in_state,
  (max(extract(epoch from tasker.now() - t.state_since)) / 60)::double precision as max_minutes_in_state,
  min(t.state_since) at time zone 'UTC' as oldest_in_state_since
from tasker_core.tasks t
join tasker_core.task_requests r on r.task_id = t.task_id
join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
group by n.name, nt.name, t.state;

-- Watched tasks, stale ones first. Measured with the default limits where the template sets none: a view cannot know
-- the configuration of the hosts. `warning` from four fifths of a limit on.
create view tasker.v_task_staleness_monitoring as
select r.task_uuid, n.name as namespace_name, nt.name as task_name, x.state::text as current_state,
  x.minutes_in_state as time_in_state_minutes, x.age_minutes as task_age_minutes,
  x.threshold_minutes as staleness_threshold_minutes,
  case
    when x.is_stale then 'stale'
    when x.minutes_in_state >= x.threshold_minutes * 0.8 or x.age_minutes >= x.lifetime_minutes * 0.8 then 'warning'
    else 'healthy'
  end as health_status,
  r.priority
from tasker_core._staleness(null, 60, 30, 30, 24, true) x
join tasker_core.task_requests r on r.task_id = x.task_id
join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
order by x.is_stale desc, x.minutes_in_state desc;

-- 0600_function_api_tasks.sql
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

-- 0601_function_api_templates.sql
-- purpose: what the REST API answers about templates (contract/rest.md section 2.7).
create function tasker_core.api_template_list(p_namespace text, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select json_build_object(
    'namespaces', (
      select coalesce(json_agg(json_build_object('name', x.name, 'description', x.description,
        'template_count', (select count(*) from tasker_core.named_tasks n where n.namespace_id = x.namespace_id))
        order by x.name), '[]')
      from tasker_core.namespaces x where tasker_core._within(x.name, p_namespaces)),
    'templates', (
      select coalesce(json_agg(json_build_object('name', n.name, 'namespace', ns.name, 'version', n.version,
        'description', n.description, 'step_count', t.n_steps) order by ns.name, n.name, n.named_task_id), '[]')
      from tasker_core.named_tasks n
      join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
      join tasker_core.templates t on t.template_id = n.current_template_id
      where tasker_core._within(ns.name, p_namespaces) and (p_namespace is null or ns.name = p_namespace)),
    'total_count', (select count(*) from tasker_core.named_tasks n
      join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
      where tasker_core._within(ns.name, p_namespaces)))
$$;

-- Null when there is no such template. The configuration is never shown.
create function tasker_core.api_template(p_namespace text, p_name text, p_version text, p_namespaces text[])
returns json
language sql stable set search_path to '' as $$
  select json_build_object('name', n.name, 'namespace', ns.name, 'version', n.version, 'description', n.description,
    'configuration', null, 'steps', (
      select coalesce(json_agg(json_build_object('name', ts.name, 'description', c.step ->> 'description',
        'default_retryable', ts.retryable, 'default_max_attempts', ts.max_attempts,
        'result_schema', c.step -> 'result_schema') order by ts.template_step_id), '[]')
      from tasker_core.template_steps ts
      left join lateral (
        select e.step from jsonb_array_elements(n.configuration -> 'steps') e(step) where e.step ->> 'name' = ts.name
      ) c on true
      where ts.template_step_id >= n.current_template_id::bigint << 20
        and ts.template_step_id < (n.current_template_id + 1)::bigint << 20))
  from tasker_core.named_tasks n
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where ns.name = p_namespace and n.name = p_name and n.version = p_version
    and tasker_core._within(ns.name, p_namespaces)
$$;

-- Every version of what is registered, with what a page about it needs; p_namespace and p_name narrow it down.
create function tasker_core.api_handlers(p_namespace text, p_name text, p_namespaces text[])
returns table (
  namespace text, name text, version text, description text, configuration jsonb, created_at timestamptz,
  namespace_description text)
language sql stable set search_path to '' as $$
  select ns.name, n.name, n.version, n.description, n.configuration, n.created_at, ns.description
  from tasker_core.named_tasks n
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where tasker_core._within(ns.name, p_namespaces) and (p_namespace is null or ns.name = p_namespace)
    and (p_name is null or n.name = p_name)
  order by ns.name, n.name, n.named_task_id
$$;

-- 0602_function_api_analytics.sql
-- purpose: what the REST API answers about performance (contract/rest.md section 2.7).
create function tasker_core.api_performance(p_hours integer) returns json
language sql stable set search_path to '' as $$
  with period as materialized (
    select tasker.now() - make_interval(hours => case when p_hours = 0 then 1 else p_hours end) as since
  ), counts as (
    select count(*) as total, count(*) filter (where t.state = 'complete') as completed,
      count(*) filter (where t.state in ('error', 'blocked_by_failures')) as failed
    from tasker_core.tasks t join tasker_core.task_requests r on r.task_id = t.task_id, period p
    where r.created_at >= p.since
  )
  select json_build_object('total_tasks', c.total, 'active_tasks', m.active_tasks_count,
    'completed_tasks', c.completed, 'failed_tasks', c.failed, 'completion_rate', m.completion_rate,
    'error_rate', m.error_rate, 'average_task_duration_seconds', m.avg_task_duration,
    'average_step_duration_seconds', m.avg_step_duration, 'tasks_per_hour', m.task_throughput,
    'steps_per_hour', m.step_throughput, 'system_health_score', m.system_health_score,
    'analysis_period_start', tasker_core._zoned(m.analysis_period_start),
    'calculated_at', tasker_core._zoned(m.calculated_at))
  from period p cross join counts c cross join lateral tasker.get_analytics_metrics(p.since) m
$$;

-- p_pool_utilization: of the server that asks, 0 to 1.
create function tasker_core.api_bottlenecks(
  p_limit integer, p_min_executions integer, p_pool_utilization double precision
) returns json
language sql stable set search_path to '' as $$
  with steps as materialized (
    select x.* from tasker.get_slowest_steps_aggregated(null, p_limit, p_min_executions) x
  ), tasks as materialized (
    select x.* from tasker.get_slowest_tasks_aggregated(null, p_limit, p_min_executions) x
  )
  select json_build_object(
    'slow_steps', (select coalesce(json_agg(json_build_object('namespace_name', s.namespace_name,
      'task_name', s.task_name, 'version', s.version, 'step_name', s.step_name,
      'average_duration_seconds', s.average_duration_seconds, 'max_duration_seconds', s.max_duration_seconds,
      'execution_count', s.execution_count, 'error_count', s.error_count, 'error_rate', s.error_rate,
      'last_executed_at', tasker_core._naive(s.last_executed_at) || 'Z')
      order by s.average_duration_seconds desc), '[]') from steps s),
    'slow_tasks', (select coalesce(json_agg(json_build_object('namespace_name', t.namespace_name,
      'task_name', t.task_name, 'version', t.version, 'average_duration_seconds', t.average_duration_seconds,
      'max_duration_seconds', t.max_duration_seconds, 'execution_count', t.execution_count,
      'average_step_count', t.average_step_count, 'error_count', t.error_count, 'error_rate', t.error_rate,
      'last_executed_at', tasker_core._naive(t.last_executed_at) || 'Z')
      order by t.average_duration_seconds desc), '[]') from tasks t),
    'resource_utilization', json_build_object('database_pool_utilization', p_pool_utilization,
      'system_health', (select row_to_json(h) from tasker.get_system_health_counts() h)),
    'recommendations', array_to_json(array_remove(array[
      case when (select max(s.error_rate) from steps s) > 0.2
        then 'Some steps fail often: look at their errors and retry settings' end,
      case when p_pool_utilization > 0.8
        then 'The database pool is nearly used up: raise common.database.pool.max_connections' end,
      case when (select s.average_duration_seconds from steps s order by s.average_duration_seconds desc limit 1) > 30
        then 'The slowest step takes more than 30 seconds on average: split it or run its parts in parallel' end
    ], null)))
$$;

-- 0603_function_api_dlq.sql
-- purpose: what the REST API answers about dead letters (contract/rest.md section 2.7). Names of reasons and resolutions
--          are PascalCase there, every time is without a zone.
create function tasker_core._pascal(p_name text) returns text
language sql immutable parallel safe
return replace(initcap(replace(p_name, '_', ' ')), ' ', '');

create function tasker_core._api_dlq_entry(p_entry tasker.tasks_dlq) returns json
language sql stable set search_path to '' as $$
  select json_build_object('dlq_entry_uuid', p_entry.dlq_entry_uuid, 'task_uuid', p_entry.task_uuid,
    'original_state', p_entry.original_state, 'dlq_reason', tasker_core._pascal(p_entry.dlq_reason::text),
    'dlq_timestamp', tasker_core._naive(p_entry.dlq_timestamp),
    'resolution_status', tasker_core._pascal(p_entry.resolution_status::text),
    'resolution_timestamp', tasker_core._naive(p_entry.resolution_timestamp),
    'resolution_notes', p_entry.resolution_notes, 'resolved_by', p_entry.resolved_by,
    'task_snapshot', p_entry.task_snapshot, 'metadata', p_entry.metadata,
    'created_at', tasker_core._naive(p_entry.created_at), 'updated_at', tasker_core._naive(p_entry.updated_at))
$$;

-- A dead letter outlives its task: then nobody who is limited to namespaces sees it.
create function tasker_core._dlq_within(p_task_uuid uuid, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select p_namespaces is null or tasker_core._api_task_id(p_task_uuid, p_namespaces) is not null
$$;

create function tasker_core.api_dlq_list(
  p_status tasker.dlq_resolution_status, p_limit integer, p_offset integer, p_namespaces text[]
) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(tasker_core._api_dlq_entry(x) order by x.dlq_timestamp desc, x.dlq_entry_uuid), '[]')
  from (
    select d.* from tasker.tasks_dlq d
    where (p_status is null or d.resolution_status = p_status) and tasker_core._dlq_within(d.task_uuid, p_namespaces)
    order by d.dlq_timestamp desc, d.dlq_entry_uuid limit p_limit offset p_offset
  ) x
$$;

-- The latest entry of a task; null when it has none.
create function tasker_core.api_dlq_of_task(p_task_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select tasker_core._api_dlq_entry(d) from tasker.tasks_dlq d
  where d.task_uuid = p_task_uuid and tasker_core._dlq_within(d.task_uuid, p_namespaces)
  order by d.dlq_timestamp desc limit 1
$$;

-- What is null stays as it is. False when there is no such entry.
create function tasker_core.api_update_dlq(
  p_entry uuid, p_status tasker.dlq_resolution_status, p_notes text, p_resolved_by text, p_metadata jsonb,
  p_namespaces text[]
) returns boolean
language plpgsql set search_path to '' as $$
begin
  update tasker_core.tasks_dlq d set
    resolution_status = coalesce(p_status, d.resolution_status),
    resolution_timestamp = case when p_status is null then d.resolution_timestamp else tasker.now() end,
    resolution_notes = coalesce(p_notes, d.resolution_notes), resolved_by = coalesce(p_resolved_by, d.resolved_by),
    metadata = coalesce(p_metadata, d.metadata), updated_at = tasker.now()
  where d.dlq_entry_uuid = p_entry and tasker_core._task_within(d.task_id, p_namespaces);
  return found;
end $$;

create function tasker_core.api_dlq_stats(p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('dlq_reason', tasker_core._pascal(d.dlq_reason::text),
    'total_entries', d.total_entries, 'pending', d.pending, 'manually_resolved', d.manually_resolved,
    'permanent_failures', d.permanent_failures, 'cancelled', d.cancelled,
    'oldest_entry', tasker_core._naive(d.oldest_entry), 'newest_entry', tasker_core._naive(d.newest_entry),
    'avg_resolution_time_minutes', d.avg_resolution_time_minutes) order by d.dlq_reason), '[]')
  from tasker_core._dlq_dashboard(p_namespaces) d
$$;

create function tasker_core.api_dlq_queue(p_limit integer, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('dlq_entry_uuid', x.dlq_entry_uuid, 'task_uuid', x.task_uuid,
    'original_state', x.original_state, 'dlq_reason', tasker_core._pascal(x.dlq_reason::text),
    'dlq_timestamp', tasker_core._naive(x.dlq_timestamp), 'minutes_in_dlq', x.minutes_in_dlq,
    'namespace_name', x.namespace_name, 'task_name', x.task_name, 'current_state', x.current_state,
    'time_in_state_minutes', x.time_in_state_minutes, 'priority_score', x.priority_score)
    order by x.priority_score desc, x.dlq_entry_uuid), '[]')
  from (select q.* from tasker.v_dlq_investigation_queue q
    where tasker_core._dlq_within(q.task_uuid, p_namespaces) order by q.priority_score desc limit p_limit) x
$$;

create function tasker_core.api_staleness(p_limit integer, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('task_uuid', x.task_uuid, 'namespace_name', x.namespace_name,
    'task_name', x.task_name, 'current_state', x.current_state,
    'time_in_state_minutes', floor(x.time_in_state_minutes)::bigint,
    'task_age_minutes', floor(x.task_age_minutes)::bigint,
    'staleness_threshold_minutes', floor(x.staleness_threshold_minutes)::bigint,
    'health_status', x.health_status, 'priority', x.priority)), '[]')
  from (select m.* from tasker.v_task_staleness_monitoring m
    where tasker_core._within(m.namespace_name, p_namespaces) limit p_limit) x
$$;
