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
