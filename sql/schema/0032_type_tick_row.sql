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
