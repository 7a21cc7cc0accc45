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
