-- purpose: what operators' actions share. They need all steps of a task, which hot functions never do.

-- Locks tasks with all of their steps, and returns the steps as they are then, ascending.
-- locks:    steps ascending, then tasks ascending.
-- sqlstate: 40001 when a step was made while this waited for its task: it is not locked, and locking it now would be
--           against the order. The caller repeats its transaction.
create function tasker_core._lock_task_steps(p_task_ids bigint[]) returns tasker_core.steps[]
language plpgsql set search_path to '' as $$
declare
  v_locked bigint[];
  v_steps tasker_core.steps[];
begin
  v_locked := array(
    select s.step_id from unnest(p_task_ids) t,
      lateral (select x.step_id from tasker_core.steps x
        where x.step_id >= t << 20 and x.step_id < (t + 1) << 20) s
    order by 1);
  perform 1 from (
    select s.step_id from tasker_core.steps s where s.step_id = any(v_locked) order by s.step_id for update) x;
  perform 1 from (
    select t.task_id from tasker_core.tasks t where t.task_id = any(p_task_ids) order by t.task_id for update) x;
  -- A new statement: it sees steps that were committed while this one waited.
  select coalesce(array_agg(s.x order by (s.x).step_id), '{}') into v_steps
  from unnest(p_task_ids) t,
    lateral (select x from tasker_core.steps x where x.step_id >= t << 20 and x.step_id < (t + 1) << 20) s;
  if cardinality(v_steps) <> cardinality(v_locked) then
    raise exception 'steps of tasks % were made meanwhile', p_task_ids using errcode = '40001';
  end if;
  return v_steps;
end $$;

-- Takes the steps' messages and timers away. Whoever holds one of them is about to look at the step row, which the
-- caller has locked, and clears it away itself.
create function tasker_core._withdraw_steps(p_steps tasker_core.steps[]) returns void
language plpgsql set search_path to '' as $$
begin
  perform tasker_core._delete_messages(array_agg(s.queue_id), array_agg(s.message_id)) from unnest(p_steps) s;
  delete from tasker_core.step_timers t where t.step_id = any(array(
    select x.step_id from tasker_core.step_timers x
    where x.step_id = any(array(select s.step_id from unnest(p_steps) s)) for update skip locked));
end $$;

-- Tells workers which steps were taken away: `task_cancelled` or `lease_lost` (core/src/event-systems/wake-message.ts).
-- Inside the transaction, so that whoever calls need not live until after it; operators are rare enough for the lock
-- that NOTIFY holds over its commit. A hint: lease renewal finds out too.
create function tasker_core._tell_workers(p_word text, p_worker_ids integer[], p_ids bigint[]) returns void
language plpgsql set search_path to '' as $$
begin
  -- A payload holds 8000 bytes, an id takes up to 20.
  perform pg_notify('tasker_wake_' || x.worker_id, p_word || ':' || string_agg(x.id::text, ',' order by x.id))
  from (
    select u.worker_id, u.id, (row_number() over (partition by u.worker_id order by u.id) - 1) / 300 as part
    from unnest(p_worker_ids, p_ids) u(worker_id, id) where u.worker_id is not null
  ) x
  group by x.worker_id, x.part;
end $$;

-- A task's counters as its steps say; exact while the caller holds all of them.
create function tasker_core._count_steps(
  p_task_id bigint, out total integer, out complete integer, out cancelled integer, out failed integer,
  out pipeline integer, out waiting_retry integer
)
language sql stable set search_path to '' as $$
  select count(*),
    count(*) filter (where s.state in ('complete', 'resolved_manually') or (s.state = 'error' and s.failure_tolerated)),
    count(*) filter (where s.state = 'cancelled'),
    count(*) filter (where s.state = 'error' and not s.failure_tolerated),
    count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_for_orchestration',
      'enqueued_as_error_for_orchestration')),
    count(*) filter (where s.state = 'waiting_for_retry')
  from tasker_core.steps s where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
$$;
