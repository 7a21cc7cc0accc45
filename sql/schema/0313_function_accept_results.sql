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
