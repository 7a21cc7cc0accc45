-- purpose: tasks that would stand still for ever, because what should move them on is gone. Off the hot path. Looks at up
--          to p_limit open tasks behind the task p_after that no failure blocks, and mends
--          - a step that waits for its retry without a timer: it gets one, due when it should have been;
--          - a step that is pending although everything before it is done: it is sent. No sequence of calls leads there,
--            so whoever finds one reports it loudly. Where nothing of a task is in flight, the number of open dependencies
--            is counted again, and the task's counters.
-- returns: how many tasks it looked at, how many timers and steps it repaired, and where to go on: 0 when there is nothing
--          behind.
-- locks:   per repaired task its steps ascending, then the task; tasks ascending, and all of one call's steps before.
-- sqlstate: 40001, see _lock_task_steps.
create function tasker_core.reconcile_tasks(
  p_limit integer default 1000, p_after bigint default 0,
  out looked_at integer, out timers integer, out steps integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_task_ids bigint[];
  v_suspects bigint[];
  v_repaired tasker_core.steps[];
  v_task_id bigint;
begin
  steps := 0;
  v_task_ids := array(
    select t.task_id from tasker_core.tasks t
    where t.task_id > p_after and tasker_core._is_going_on(t)
    order by t.task_id limit p_limit);
  looked_at := cardinality(v_task_ids);
  next_after := case when looked_at = p_limit then v_task_ids[looked_at] else 0 end;

  -- timers: a step in this state that nobody holds is waiting for nothing else
  with lost as (
    select s.step_id, s.updated_at, s.backoff_seconds
    from tasker_core.steps s
    where s.step_id = any(array(
        select x.step_id from unnest(v_task_ids) i(task_id), lateral (
          select s.step_id from tasker_core.steps s
          where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20 and s.state = 'waiting_for_retry'
          offset 0) x
        where not exists (select from tasker_core.step_timers t where t.step_id = x.step_id)))
      and s.state = 'waiting_for_retry'
    order by s.step_id for update skip locked
  ), made as (
    insert into tasker_core.step_timers (step_id, due_at, kind)
    select l.step_id, l.updated_at + make_interval(secs => coalesce(l.backoff_seconds, 0)), 'retry' from lost l
    on conflict do nothing
    returning 1
  )
  select count(*) into timers from made;

  -- steps: seen without a lock first, since hardly ever is there one
  v_suspects := array(
    select i.task_id from unnest(v_task_ids) i(task_id)
    where exists (
      select from tasker_core.steps s
      where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20
        and s.state = 'pending' and s.pending_dependencies = 0)
    union
    select t.task_id from tasker_core.tasks t
    where t.task_id = any(v_task_ids) and t.n_pipeline = 0 and t.n_waiting_retry = 0);
  if cardinality(v_suspects) = 0 then return; end if;
  perform tasker_core._lock_task_steps(v_suspects);
  -- A new statement: what another transaction was about to do is done now.
  for v_task_id in
    select t.task_id from tasker_core.tasks t
    where t.task_id = any(v_suspects) and tasker_core._is_going_on(t) order by 1
  loop
    update tasker_core.steps s set pending_dependencies = 0, updated_at = v_now
    where s.step_id >= v_task_id << 20 and s.step_id < (v_task_id + 1) << 20
      and s.state = 'pending' and s.pending_dependencies > 0
      and tasker_core._unsatisfied_parents(s.step_id, s.template_step_id) = 0;
    select array_agg(s) into v_repaired from tasker_core.steps s
    where s.step_id >= v_task_id << 20 and s.step_id < (v_task_id + 1) << 20
      and s.state = 'pending' and s.pending_dependencies = 0;
    continue when v_repaired is null;
    perform 1 from tasker_core._reevaluate_task(null, v_task_id, v_now);
    steps := steps + cardinality(v_repaired);
  end loop;
end $$;

create function tasker_core._is_going_on(p_task tasker_core.tasks) returns boolean
language sql immutable parallel safe
as $$
  select p_task.n_error = 0 and p_task.state <> 'blocked_by_failures'
    and p_task.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
$$;

-- purpose: the first task from p_from on that is not final; null when there is none. Final tasks stay final, so whoever
--          remembers the answer and asks again from there does not read the finished ones a second time.
create function tasker_core.first_open_task(p_from bigint) returns bigint
language sql stable set search_path to '' as $$
  select t.task_id from tasker_core.tasks t
  where t.task_id >= p_from and t.state not in ('complete', 'error', 'cancelled', 'resolved_manually')
  order by t.task_id limit 1
$$;
