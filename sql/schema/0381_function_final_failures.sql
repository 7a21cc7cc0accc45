-- purpose: what the final failure of a step means beyond its task being blocked: `fail_fast` ends the rest of its batch,
--          `isolate` and crash loops open an investigation.

-- The other workers of the fail_fast batches in which one of p_failing may fail for good: for the caller to lock with
-- all others, ascending. p_permanent: those of p_failing that fail whatever attempts they have left.
create function tasker_core._siblings_to_stop(p_failing bigint[], p_permanent bigint[]) returns bigint[]
language plpgsql stable set search_path to '' as $$
declare
  v_workers bigint[];
  v_analyzers bigint[];
begin
  -- Workers carry their strategy in their inputs, written by core/src/lifecycle/plans/batch-workers.ts.
  v_workers := array(
    select s.step_id from tasker_core.steps s
    where s.step_id = any(p_failing) and s.inputs #>> '{batch_metadata,failure_strategy}' = 'fail_fast'
      and (s.step_id = any(p_permanent) or not s.retryable or s.attempts >= s.max_attempts));
  if cardinality(v_workers) = 0 then return '{}'; end if;
  v_analyzers := array(
    select e.from_id from tasker_core.step_edges e where e.to_id = any(v_workers) and e.name = 'batch_dependency');
  return array(
    select e.to_id from tasker_core.step_edges e
    where e.from_id = any(v_analyzers) and e.name = 'batch_dependency' order by e.to_id);
end $$;

-- Called by _settle_steps at its end. p_failed: failed for good, ascending, their states written; p_steps: the rows from
-- before. The caller holds the tasks, and the steps of _siblings_to_stop.
-- locks: messages and timers with skip locked.
create function tasker_core._on_final_failures(
  p_worker_id integer, p_failed bigint[], p_steps tasker_core.steps[], p_now timestamptz
) returns void
language plpgsql set search_path to '' as $$
declare
  v_siblings bigint[] := tasker_core._siblings_to_stop(p_failed, p_failed);
  v_stopped tasker_core.steps[];
  v_entry record;
begin
  if cardinality(v_siblings) > 0 then
    -- As they are now. A result that waits for its settlement is not thrown away.
    select array_agg(s order by s.step_id) into v_stopped
    from tasker_core.steps s
    where s.step_id = any(v_siblings)
      and s.state not in ('complete', 'error', 'cancelled', 'resolved_manually', 'enqueued_for_orchestration');
  end if;
  if v_stopped is not null then
    update tasker_core.steps s set
      state = 'cancelled', leased_until = null, message_id = null, processed_at = p_now, updated_at = p_now,
      lease_token = s.lease_token + case when s.state = 'in_progress' then 1 else 0 end
    where s.step_id = any(array(select x.step_id from unnest(v_stopped) x));
    perform tasker_core._withdraw_steps(v_stopped);
    insert into tasker_core.step_log (step_id, at, move, worker_id)
    select x.step_id, p_now, 'cancel', p_worker_id from unnest(v_stopped) x;
    update tasker_core.tasks t set
      n_cancelled = t.n_cancelled + x.stopped, n_pipeline = t.n_pipeline - x.pipeline,
      n_waiting_retry = t.n_waiting_retry - x.waiting
    from (
      select s.step_id >> 20 as task_id, count(*) as stopped,
        count(*) filter (where s.state = 'waiting_for_retry') as waiting,
        count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_as_error_for_orchestration')) as pipeline
      from unnest(v_stopped) s group by 1
    ) x
    where t.task_id = x.task_id;
    perform tasker_core._tell_workers('task_cancelled', array_agg(s.worker_id), array_agg(s.step_id))
    from unnest(v_stopped) s where s.state = 'in_progress';
  end if;

  for v_entry in
    select x.task_id, x.reason, jsonb_agg(jsonb_build_object(
        'step_uuid', tasker_core.step_uuid(
          (select r.task_uuid from tasker_core.task_requests r where r.task_id = x.task_id), x.step_id),
        'name', coalesce(x.name, (select ts.name from tasker_core.template_steps ts
          where ts.template_step_id = x.template_step_id)),
        'attempts', x.attempts, 'deaths', x.deaths) order by x.step_id) as steps
    from (
      select s.step_id, s.step_id >> 20 as task_id, s.template_step_id, s.name, s.attempts, s.deaths,
        case
          -- A step that the host gave up says so in its result; only one that died can be such a step.
          when s.deaths > 0 and exists (select from tasker_core.step_results r
            where r.step_id = s.step_id and r.token = s.lease_token
              and r.body #>> '{error,error_type}' = 'crash_loop') then 'worker_unavailable'
          when s.failure_tolerated and s.inputs #>> '{batch_metadata,failure_strategy}' = 'isolate'
            then 'max_retries_exceeded'
        end::tasker.dlq_reason as reason
      from unnest(p_steps) s where p_failed[width_bucket(s.step_id, p_failed)] = s.step_id
    ) x
    where x.reason is not null
    group by x.task_id, x.reason
    order by x.task_id, x.reason
  loop
    perform tasker_core._create_dlq_entry(v_entry.task_id, v_entry.reason,
      jsonb_build_object('steps', v_entry.steps), p_now);
  end loop;
end $$;
