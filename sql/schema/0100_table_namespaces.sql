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
