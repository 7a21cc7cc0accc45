-- purpose: the clock of every function. Tests set it: set tasker.now = '2026-01-02 03:04:05+00'.
create function tasker.now() returns timestamptz
language sql stable parallel safe
as $$
  select coalesce(nullif(current_setting('tasker.now', true), '')::timestamptz, clock_timestamp())
$$;
