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
