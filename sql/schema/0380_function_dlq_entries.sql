-- purpose: makes DLQ entries. Off the hot path.

-- Time-ordered: 48 bits of milliseconds, the version, random bits.
create function tasker_core._uuid_v7(p_at timestamptz) returns uuid
language sql volatile parallel safe
as $$
  select encode(set_bit(set_bit(
    overlay(uuid_send(gen_random_uuid())
      placing substring(int8send(floor(extract(epoch from p_at) * 1000)::bigint) from 3) from 1 for 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- What an investigator wants to see although it changes later: the task, its counters, and the steps that are not done
-- (the first 200).
create function tasker_core._task_snapshot(p_task_id bigint, p_now timestamptz) returns jsonb
language sql stable set search_path to '' as $$
  select jsonb_build_object(
    'task_uuid', r.task_uuid, 'namespace', n.name, 'name', nt.name, 'version', nt.version, 'state', t.state,
    'state_since', t.state_since, 'snapshot_at', p_now, 'created_at', r.created_at, 'priority', r.priority,
    'correlation_id', r.correlation_id, 'initiator', r.initiator, 'source_system', r.source_system,
    'steps', jsonb_build_object('total', t.n_total, 'complete', t.n_complete, 'cancelled', t.n_cancelled,
      'error', t.n_error, 'in_pipeline', t.n_pipeline, 'waiting_for_retry', t.n_waiting_retry),
    'open_steps', coalesce((
      select jsonb_agg(o.described)
      from (
        select jsonb_build_object('step_uuid', tasker_core.step_uuid(r.task_uuid, s.step_id),
          'name', coalesce(s.name, ts.name), 'state', s.state, 'attempts', s.attempts, 'max_attempts', s.max_attempts,
          'pending_dependencies', s.pending_dependencies, 'last_attempted_at', s.last_attempted_at) as described
        from tasker_core.steps s
        join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
        where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
          and s.state not in ('complete', 'cancelled', 'resolved_manually')
        order by s.step_id limit 200
      ) o), '[]'))
  from tasker_core.tasks t
  join tasker_core.task_requests r on r.task_id = t.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where t.task_id = p_task_id
$$;

-- Makes an entry; a task that has a pending one keeps it, and `steps` of p_metadata are added to it (100 at most).
-- entry_uuid: null when there is no such task.
create function tasker_core._create_dlq_entry(
  p_task_id bigint, p_reason tasker.dlq_reason, p_metadata jsonb, p_now timestamptz,
  out entry_uuid uuid, out created boolean
)
language sql volatile set search_path to '' as $$
  insert into tasker_core.tasks_dlq as d (dlq_entry_uuid, task_id, original_state, dlq_reason, dlq_timestamp,
    task_snapshot, metadata, created_at, updated_at)
  select tasker_core._uuid_v7(p_now), t.task_id, t.state::text, p_reason, p_now,
    tasker_core._task_snapshot(t.task_id, p_now), p_metadata, p_now, p_now
  from tasker_core.tasks t where t.task_id = p_task_id
  on conflict (task_id) where resolution_status = 'pending' do update set
    metadata = case
      when excluded.metadata ? 'steps' and coalesce(jsonb_array_length(d.metadata -> 'steps'), 0) < 100
        then coalesce(d.metadata, '{}') || jsonb_build_object('steps',
          coalesce(d.metadata -> 'steps', '[]') || (excluded.metadata -> 'steps'))
      else d.metadata
    end,
    updated_at = p_now
  -- Only an inserted row has no earlier version.
  returning d.dlq_entry_uuid, d.xmax = 0
$$;

-- purpose: opens an investigation by hand or from outside. Returns the task's pending entry, which may have been there
--          before; null when the task does not exist.
create function tasker.create_dlq_entry(
  p_task_uuid uuid, p_reason tasker.dlq_reason default 'manual_dlq', p_metadata jsonb default null
) returns uuid
language sql volatile set search_path to '' as $$
  select e.entry_uuid
  from tasker_core.task_requests r, lateral tasker_core._create_dlq_entry(r.task_id, p_reason, p_metadata, tasker.now()) e
  where r.task_uuid = p_task_uuid
$$;
