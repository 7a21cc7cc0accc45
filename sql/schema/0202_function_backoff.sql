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
