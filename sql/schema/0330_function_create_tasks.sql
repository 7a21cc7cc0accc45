-- purpose: creates a batch of tasks with their initial steps and edges counted, and sends their first steps, in one
--          commit. A task whose identity exists already is reported as `duplicate` (task_id of the one that exists).
--          Arrays are aligned; bodies hold, per task, the context then the tags (two entries of p_ends each).
--          p_wake: namespaces whose sleeping workers the commit wakes, for a host that runs no steps itself.
-- rows:    created | duplicate (task_id, number = position in the batch, from 1), then those of _send_steps.
-- locks: rows of task_identities in hash order (two creators of one identity wait for each other here), new rows else.
create function tasker_core.create_tasks(
  p_worker_id integer, p_task_uuids uuid[], p_template_ids integer[], p_identity_hashes text[],
  p_correlation_ids uuid[], p_parent_correlation_ids uuid[], p_priorities integer[], p_initiators text[],
  p_source_systems text[], p_reasons text[], p_bodies bytea, p_ends integer[],
  p_callables integer[], p_pools integer[], p_free integer[], p_waiting_class integer, p_lease interval,
  p_wake integer[] default null
) returns setof tasker_core.tick_row
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_count integer := cardinality(p_task_uuids);
  v_ids bigint[];
  v_new bigint[];
  v_template record;
  v_batch bigint[];
  v_positions integer[];
  v_roots bigint[];
begin
  select array_agg(nextval('tasker_core.task_id_seq'::regclass)) into v_ids from generate_series(1, v_count);

  with inserted as (
    insert into tasker_core.task_identities (identity_hash, task_id)
    select p_identity_hashes[i], v_ids[i] from generate_series(1, v_count) i
    order by p_identity_hashes[i]
    on conflict do nothing
    returning task_id
  )
  select coalesce(array_agg(task_id order by task_id), '{}') into v_new from inserted;

  if cardinality(v_new) < v_count then
    -- A new statement, so that it sees an identity committed by the transaction that this one waited for.
    return query
    select 'duplicate', null::bigint, t.task_id, null::bigint, null::integer, null::integer, null::integer,
      null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz, i::bigint
    from generate_series(1, v_count) i,
      lateral (select d.task_id from tasker_core.task_identities d where d.identity_hash = p_identity_hashes[i]) t
    where not v_ids[i] = any(v_new);
  end if;
  if cardinality(v_new) = 0 then return; end if;

  insert into tasker_core.task_requests (
    task_id, task_uuid, named_task_id, correlation_id, parent_correlation_id, priority, requested_at, created_at,
    initiator, source_system, reason, tags, context, identity_hash)
  select v_ids[i], p_task_uuids[i],
    (select t.named_task_id from tasker_core.templates t where t.template_id = p_template_ids[i]),
    p_correlation_ids[i], p_parent_correlation_ids[i], p_priorities[i], v_now, v_now, p_initiators[i],
    p_source_systems[i], p_reasons[i], tasker_core._body(p_bodies, p_ends, i * 2),
    tasker_core._body(p_bodies, p_ends, i * 2 - 1), p_identity_hashes[i]
  from generate_series(1, v_count) i
  where v_ids[i] = any(v_new);

  return query
  select 'created', null::bigint, v_ids[i], null::bigint, null::integer, null::integer, null::integer,
    null::boolean, null::text, null::timestamptz, null::integer, null::timestamptz, i::bigint
  from generate_series(1, v_count) i where v_ids[i] = any(v_new);

  for v_template in
    select t.template_id, t.namespace_id, t.n_initial, t.n_steps from tasker_core.templates t
    where t.template_id = any(p_template_ids) order by t.template_id
  loop
    select array_agg(v_ids[i] order by i), array_agg(i order by i) into v_batch, v_positions
    from generate_series(1, v_count) i
    where p_template_ids[i] = v_template.template_id and v_ids[i] = any(v_new);
    continue when v_batch is null;

    insert into tasker_core.steps (
      step_id, template_step_id, queue_id, callable_id, state, pending_dependencies, max_attempts, retryable,
      created_at, updated_at)
    select (v_ids[p.i] << 20) | (ts.template_step_id & 1048575), ts.template_step_id,
      tasker_core.queue_id(v_template.namespace_id, p_priorities[p.i]),
      ts.callable_id, 'pending', ts.pending_dependencies, ts.max_attempts, ts.retryable, v_now, v_now
    from unnest(v_positions) p(i), tasker_core.template_steps ts
    where ts.template_step_id >= v_template.template_id::bigint << 20
      and ts.template_step_id < (v_template.template_id + 1)::bigint << 20
      and ts.initial;

    v_roots := array(
      select ts.template_step_id & 1048575 from tasker_core.template_steps ts
      where ts.template_step_id >= v_template.template_id::bigint << 20
        and ts.template_step_id < (v_template.template_id + 1)::bigint << 20
        and ts.initial and ts.pending_dependencies = 0
      order by 1);

    insert into tasker_core.tasks (task_id, template_id, state, n_total, n_pipeline, next_ordinal, state_since,
      completed_at)
    select b.task_id, v_template.template_id,
      case when v_template.n_initial = 0 then 'complete' else 'steps_in_process' end::tasker_core.task_state,
      v_template.n_initial, cardinality(v_roots), v_template.n_steps, v_now, case when v_template.n_initial = 0 then v_now end
    from unnest(v_batch) b(task_id);
    insert into tasker_core.task_log (task_id, at, from_state, to_state, worker_id)
    select b.task_id, v_now, null,
      case when v_template.n_initial = 0 then 'complete' else 'steps_in_process' end::tasker_core.task_state,
      p_worker_id
    from unnest(v_batch) b(task_id);

    if v_template.n_initial = 0 then
      return query select 'task', null::bigint, b.task_id, null::bigint, null::integer, null::integer,
        null::integer, null::boolean, 'complete', null::timestamptz, null::integer, null::timestamptz, null::bigint
      from unnest(v_batch) b(task_id);
    else
      return query select (s.r).* from (
        select tasker_core._send_steps(
          array_agg((v_ids[p.i] << 20) | t.ordinal order by p.i, t.ordinal),
          array_agg(tasker_core.queue_id(v_template.namespace_id, p_priorities[p.i]) order by p.i, t.ordinal),
          array_agg((select ts.callable_id from tasker_core.template_steps ts
            where ts.template_step_id = (v_template.template_id::bigint << 20) + t.ordinal) order by p.i, t.ordinal),
          array_agg(p_task_uuids[p.i] order by p.i, t.ordinal),
          array_agg(p_correlation_ids[p.i] order by p.i, t.ordinal),
          false, p_worker_id, p_callables, p_pools, p_free,
          p_waiting_class, null, p_lease, v_now) as r
        from unnest(v_positions) p(i), unnest(v_roots) t(ordinal)
      ) s;
      p_free := tasker_core._free_after(p_free, p_callables, p_pools, array(
        select ts.callable_id from tasker_core.template_steps ts, unnest(v_batch) b
        where ts.template_step_id = any(array(
          select (v_template.template_id::bigint << 20) + t.ordinal from unnest(v_roots) t(ordinal)))));
    end if;
  end loop;
  -- Where this host hands out nothing itself, every first step waits for somebody else.
  if p_wake is not null then return query select x.* from tasker_core._wake_with_commit(p_worker_id, p_wake) x; end if;
end $$;
