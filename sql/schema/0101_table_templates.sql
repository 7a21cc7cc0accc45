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
