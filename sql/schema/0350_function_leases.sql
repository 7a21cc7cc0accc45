-- purpose: renews the leases of what a host still holds: step row and message in one commit. Returns the steps that
--          are not its own any more; their handlers must be told (lease_lost).
-- locks: steps ascending, then messages (skip locked).
create function tasker_core.renew_leases(
  p_worker_id integer, p_step_ids bigint[], p_tokens integer[], p_lease interval
) returns table (lost_step_id bigint)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_until timestamptz := v_now + p_lease;
  v_steps tasker_core.steps[];
  v_kept bigint[];
begin
  update tasker_core.workers w set last_seen_at = v_now where w.worker_id = p_worker_id;
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  v_kept := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'in_progress' and s.lease_token = p_tokens[width_bucket(s.step_id, p_step_ids)]
    order by s.step_id);
  update tasker_core.steps s set leased_until = v_until where s.step_id = any(v_kept);
  perform tasker_core._show_messages(array_agg(s.queue_id), array_agg(s.message_id), v_until) from unnest(v_steps) s
  where v_kept[width_bucket(s.step_id, v_kept)] = s.step_id;
  return query select x from unnest(p_step_ids) x where not coalesce(v_kept[width_bucket(x, v_kept)] = x, false);
end $$;

-- purpose: gives back deliveries that were lost (process death, drain) so that they are taken over at once. The
--          attempt is not counted; p_deaths[i] is 1 when the step's process died with this step alone in it, and
--          p_suspects[i] when it died at all: from then on the step runs alone.
-- locks: steps ascending, then messages (skip locked).
create function tasker_core.release_steps(
  p_step_ids bigint[], p_tokens integer[], p_deaths integer[], p_suspects boolean[]
) returns integer
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_steps tasker_core.steps[];
  v_ids bigint[];
begin
  select array_agg(x.s) into v_steps
  from (select s from tasker_core.steps s where s.step_id = any(p_step_ids) order by s.step_id for update) x;
  v_ids := array(
    select s.step_id from unnest(v_steps) s
    where s.state = 'in_progress' and s.lease_token = p_tokens[width_bucket(s.step_id, p_step_ids)]
    order by s.step_id);
  update tasker_core.steps s set
    -- The token moves on, so a late answer of the lost delivery is stale; no worker marks the lease as given back.
    lease_token = s.lease_token + 1, attempts = s.attempts - 1, worker_id = null, leased_until = v_now,
    deaths = s.deaths + p_deaths[width_bucket(s.step_id, p_step_ids)],
    solo = s.solo or p_suspects[width_bucket(s.step_id, p_step_ids)], updated_at = v_now
  where s.step_id = any(v_ids);
  perform tasker_core._show_messages(array_agg(s.queue_id), array_agg(s.message_id), v_now) from unnest(v_steps) s
  where v_ids[width_bucket(s.step_id, v_ids)] = s.step_id;
  return cardinality(v_ids);
end $$;

-- purpose: after a lost reply a host cannot know which steps the server handed to it. Whatever is leased to the
--          worker and not in the list of what it holds is made readable at once, without a death.
-- locks: steps ascending, then messages. Reads the namespaces' queues: rare, off the hot path.
create function tasker_core.reconcile_worker(p_worker_id integer, p_held_step_ids bigint[], p_held_tokens integer[])
returns integer
language plpgsql set search_path to '' as $$
declare
  v_queue_id integer;
  v_ids bigint[];
  v_tokens integer[];
  v_released integer := 0;
begin
  for v_queue_id in
    select n.namespace_id * 4 + c from tasker_core.namespaces n, generate_series(0, 2) c order by 1
  loop
    execute format('select array_agg(h.step_id order by h.step_id) from tasker_core._queue_%s_held() h', v_queue_id)
    into v_ids;
    continue when v_ids is null;
    select array_agg(s.step_id order by s.step_id), array_agg(s.lease_token order by s.step_id) into v_ids, v_tokens
    from tasker_core.steps s
    where s.step_id = any(v_ids) and s.state = 'in_progress' and s.worker_id = p_worker_id and s.queue_id = v_queue_id
      and not exists (select from generate_subscripts(p_held_step_ids, 1) i
        where p_held_step_ids[i] = s.step_id and p_held_tokens[i] = s.lease_token);
    if v_ids is not null then
      v_released := v_released + tasker_core.release_steps(v_ids, v_tokens,
        array_fill(0, array[cardinality(v_ids)]), array_fill(false, array[cardinality(v_ids)]));
    end if;
  end loop;
  return v_released;
end $$;
