-- purpose: transitions that outside tools ask for (contract/sql.md section 2, code-defined.md). Steps and results decide
--          what a task does next, in the transaction that stores them; so of a task's transitions a tool can make those
--          that end it, and the one that its steps call for. Leases and results stay with workers.

-- Compare and swap: false, and nothing has changed, when the task does not exist, is not in p_from_state, the table
-- lists no such transition, or the task's steps call for another state. Ending a task cancels what could still run in it.
-- p_processor_uuid: recorded with the transition; p_metadata: kept in its transition_metadata.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.transition_task_state_atomic(
  p_task_uuid uuid, p_from_state varchar, p_to_state varchar, p_processor_uuid uuid default null,
  p_metadata jsonb default '{}'
) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_worker_id integer;
  v_state text;
  v_after record;
begin
  -- lock
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  select w.worker_id into v_worker_id from tasker_core.workers w where w.worker_uuid = p_processor_uuid;
  perform tasker_core._lock_task_steps(array[v_task_id]);

  -- guard
  select t.state::text into v_state from tasker_core.tasks t where t.task_id = v_task_id;
  p_from_state := case p_from_state when 'in_progress' then 'steps_in_process' else p_from_state end;  -- its old name
  if v_state is distinct from p_from_state or not exists (
    select from tasker_core.task_transition_rules r
    where r.from_state::text = p_from_state and r.to_state::text = p_to_state)
  then
    return false;
  end if;

  -- change
  if p_to_state in ('cancelled', 'resolved_manually', 'error') then
    return coalesce((
      select c.closed from tasker_core._close_tasks(v_worker_id, array[v_task_id], p_to_state::tasker_core.task_state,
        case p_to_state when 'cancelled' then 'cancel_task' when 'resolved_manually' then 'resolve_task'
          else 'expire_task' end,
        coalesce(p_processor_uuid::text, 'sql'), p_metadata ->> 'reason', nullif(p_metadata, '{}')) c), false);
  end if;
  begin
    select e.* into v_after from tasker_core._reevaluate_task(v_worker_id, v_task_id, tasker.now()) e;
    if v_after.task_state::text is distinct from p_to_state then
      raise exception 'the steps of task % call for %', p_task_uuid, v_after.task_state using errcode = 'TK002';
    end if;
  exception when sqlstate 'TK002' then
    return false;
  end;
  return true;
end $$;

-- Brings a task to where its steps say it belongs. True when it is complete afterwards.
-- locks: steps ascending, then the task. sqlstate: 40001, see _lock_task_steps.
create function tasker.finalize_task_completion(p_task_uuid uuid, p_processor_uuid uuid default null) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_after record;
begin
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  perform tasker_core._lock_task_steps(array[v_task_id]);
  select e.* into v_after from tasker_core._reevaluate_task(
    (select w.worker_id from tasker_core.workers w where w.worker_uuid = p_processor_uuid), v_task_id, tasker.now()) e;
  return v_after.task_state = 'complete';
end $$;

-- A claim is the transaction's lock on the task and its steps: whoever dies gives it back, and nothing has to expire. False
-- when the task does not exist or is final, or when p_timeout_seconds passed while another transaction held it.
-- p_processor_uuid: accepted for the contract's sake; nothing belongs to a processor.
-- locks: steps ascending, then the task; held to the end of the caller's transaction. sqlstate: 40001, see _lock_task_steps.
create function tasker.claim_task_for_finalization(
  p_task_uuid uuid, p_processor_uuid uuid default null, p_timeout_seconds integer default 10
) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_task_id bigint;
  v_timeout text := current_setting('lock_timeout');
begin
  select r.task_id into v_task_id from tasker_core.task_requests r where r.task_uuid = p_task_uuid;
  if not found then return false; end if;
  begin
    -- 0 would mean for ever.
    perform set_config('lock_timeout', greatest(1, p_timeout_seconds * 1000) || 'ms', true);
    perform tasker_core._lock_task_steps(array[v_task_id]);
    perform set_config('lock_timeout', v_timeout, true);
  exception when lock_not_available then
    return false;
  end;
  return (select t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
    from tasker_core.tasks t where t.task_id = v_task_id);
end $$;

-- What an operator could do to a step, by its states: to pending (ResetForRetry), cancelled, resolved_manually, or complete
-- (with the result null). False when the step does not exist, is not in p_from_state, or its task is final and would not
-- run it again.
-- locks: steps ascending, then the task. sqlstate: TK001 when the table lists no such transition; TK003 when it does, but
-- only a lease and a result can make it; 40001, see _lock_task_steps.
create function tasker.tasker_update_step_status(p_step_uuid uuid, p_from_state text, p_to_state text) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_step_id bigint := tasker_core._existing_step_id(p_step_uuid);
  v_event text;
begin
  if v_step_id is null then return false; end if;
  if not exists (select from tasker_core.step_transition_rules r
    where r.from_state::text = p_from_state and r.to_state::text = p_to_state)
  then
    raise exception 'step %: no transition leads from % to %', p_step_uuid, p_from_state, p_to_state
      using errcode = 'TK001', hint = (select coalesce('From ' || p_from_state || ' a step goes to '
        || string_agg(distinct r.to_state::text, ', '), 'There is no such state.') from tasker_core.step_transition_rules r
        where r.from_state::text = p_from_state);
  end if;
  select r.event into v_event from tasker_core.step_transition_rules r
  where r.from_state::text = p_from_state and r.to_state::text = p_to_state
    and r.event in ('ResetForRetry', 'Cancel', 'ResolveManually', 'CompleteManually');
  if not found then
    raise exception 'step %: from % to % is for the worker that holds the step', p_step_uuid, p_from_state, p_to_state
      using errcode = 'TK003', hint = 'By hand a step becomes pending (from error), cancelled, resolved_manually or complete.';
  end if;
  perform tasker_core._lock_task_steps(array[v_step_id >> 20]);
  if (select s.state::text from tasker_core.steps s where s.step_id = v_step_id) <> p_from_state then return false; end if;
  return (
    select a.outcome = 'done'
    from tasker_core._act_on_step(null, v_step_id, v_event,
      case v_event when 'ResetForRetry' then 'reset_step' when 'Cancel' then 'cancel_step'
        when 'ResolveManually' then 'resolve_step' else 'complete_step' end,
      'sql', 'tasker_update_step_status',
      case when v_event = 'CompleteManually' then json_build_object('step_uuid', p_step_uuid, 'success', true,
        'result', null, 'status', 'completed', 'metadata', json_build_object('retryable', false,
          'completed_at', tasker.now(), 'custom', json_build_object('manually_completed', true)),
        'error', null, 'orchestration_metadata', null) end) a);
end $$;

-- Another delay for a step that waits for its next attempt, counted from now. False, and nothing has changed, for a step in
-- any other state: there the template's strategy decides when the attempt has failed.
-- locks: the step's timer, then the step, as the hot functions do. sqlstate: 22023 for a negative delay.
create function tasker.set_step_backoff_atomic(p_step_uuid uuid, p_backoff_seconds integer) returns boolean
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_step_id bigint := tasker_core._existing_step_id(p_step_uuid);
begin
  if p_backoff_seconds is null or p_backoff_seconds < 0 then
    raise exception 'expected a delay of 0 seconds or more, got %', p_backoff_seconds using errcode = '22023';
  end if;
  perform 1 from tasker_core.step_timers t where t.step_id = v_step_id for update;
  update tasker_core.steps s set backoff_seconds = p_backoff_seconds, last_attempted_at = v_now, updated_at = v_now
  where s.step_id = v_step_id and s.state = 'waiting_for_retry';
  if not found then return false; end if;
  insert into tasker_core.step_timers (step_id, due_at, kind)
  values (v_step_id, v_now + make_interval(secs => p_backoff_seconds), 'retry')
  on conflict (step_id) do update set due_at = excluded.due_at, kind = excluded.kind;
  return true;
end $$;
