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
