-- purpose: counts and derived status of a task (contract/states.md section 4), from its steps; and the same from the
--          counters, so that a test can compare the two after every command.
create function tasker_core.execution_status(
  p_total integer, p_completed integer, p_cancelled integer, p_failed integer, p_ready integer, p_pipeline integer
) returns text
language sql immutable parallel safe
as $$
  select case
    when p_failed > 0 then 'blocked_by_failures'
    when p_ready > 0 then 'has_ready_steps'
    when p_pipeline > 0 then 'processing'
    when p_total > 0 and p_completed + p_cancelled = p_total and p_completed > 0 then 'all_complete'
    else 'waiting_for_dependencies'
  end
$$;

create function tasker.get_task_execution_context(p_task_uuid uuid)
returns table (
  task_uuid uuid, named_task_uuid uuid, status text, total_steps bigint, pending_steps bigint,
  in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
  recommended_action text, completion_percentage numeric, health_status text, enqueued_steps bigint
)
language sql stable set search_path to '' as $$
  select c.task_uuid, c.named_task_uuid, c.status, c.total, c.pending, c.in_progress, c.completed, c.failed, c.ready,
    c.execution_status,
    case c.execution_status
      when 'blocked_by_failures' then 'handle_failures'
      when 'has_ready_steps' then 'execute_ready_steps'
      when 'processing' then 'wait_for_completion'
      when 'all_complete' then 'finalize_task'
      else 'wait_for_dependencies'
    end,
    case when c.total = 0 then 0 else round(c.completed::numeric / c.total * 100, 2) end,
    case when c.failed > 0 then 'blocked' else 'healthy' end,
    c.enqueued
  from (
    select x.*, tasker_core.execution_status(x.total::integer, x.completed::integer, x.cancelled::integer,
      x.failed::integer, x.ready::integer, (x.in_progress + x.enqueued)::integer) as execution_status
    from (
      select r.task_uuid, n.named_task_uuid, t.state::text as status, count(s.step_id) as total,
        count(*) filter (where s.state = 'pending') as pending,
        count(*) filter (where s.state = 'in_progress') as in_progress,
        count(*) filter (where s.state in ('complete', 'resolved_manually')
          or (s.state = 'error' and s.failure_tolerated)) as completed,
        count(*) filter (where s.state = 'error' and not s.failure_tolerated) as failed,
        count(*) filter (where s.state = 'cancelled') as cancelled,
        count(*) filter (where s.state in
          ('enqueued', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration')) as enqueued,
        count(*) filter (where s.state in ('pending', 'waiting_for_retry') and s.pending_dependencies = 0
          and (s.attempts = 0 or (s.retryable and s.attempts < s.max_attempts))
          and (s.state = 'pending' or not exists (
            select from tasker_core.step_timers st where st.step_id = s.step_id and st.due_at > tasker.now()))) as ready
      from tasker_core.task_requests r
      join tasker_core.tasks t on t.task_id = r.task_id
      join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
      left join tasker_core.steps s on s.step_id >= r.task_id << 20 and s.step_id < (r.task_id + 1) << 20
      where r.task_uuid = p_task_uuid
      group by r.task_uuid, n.named_task_uuid, t.state
    ) x
  ) c
$$;

create function tasker.get_current_task_state(p_task_uuid uuid) returns varchar
language sql stable set search_path to '' as $$
  select t.state::varchar from tasker_core.task_requests r join tasker_core.tasks t on t.task_id = r.task_id
  where r.task_uuid = p_task_uuid
$$;

-- Tasks whose counters differ from what their steps say. Empty, always: the suites end by calling it.
create function tasker_core.recount_tasks() returns table (task_id bigint, counter text, stored bigint, counted bigint)
language sql stable set search_path to '' as $$
  select t.task_id, c.name, c.stored, c.counted
  from tasker_core.tasks t
  cross join lateral (
    select count(*) as total,
      count(*) filter (where s.state in ('complete', 'resolved_manually')
        or (s.state = 'error' and s.failure_tolerated)) as complete,
      count(*) filter (where s.state = 'cancelled') as cancelled,
      count(*) filter (where s.state = 'error' and not s.failure_tolerated) as error,
      count(*) filter (where s.state in ('enqueued', 'in_progress', 'enqueued_for_orchestration',
        'enqueued_as_error_for_orchestration')) as pipeline,
      count(*) filter (where s.state = 'waiting_for_retry') as waiting_retry
    from tasker_core.steps s where s.step_id >= t.task_id << 20 and s.step_id < (t.task_id + 1) << 20
  ) s
  cross join lateral (values
    ('n_total', t.n_total::bigint, s.total), ('n_complete', t.n_complete::bigint, s.complete),
    ('n_cancelled', t.n_cancelled::bigint, s.cancelled), ('n_error', t.n_error::bigint, s.error),
    ('n_pipeline', t.n_pipeline::bigint, s.pipeline), ('n_waiting_retry', t.n_waiting_retry::bigint, s.waiting_retry)
  ) c(name, stored, counted)
  where c.stored <> c.counted
$$;

-- Pending steps whose counter differs from their unsatisfied incoming edges. Empty, always.
create function tasker_core.recount_dependencies() returns table (step_id bigint, stored integer, counted bigint)
language sql stable set search_path to '' as $$
  select s.step_id, s.pending_dependencies, e.unsatisfied
  from tasker_core.steps s
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  cross join lateral (
    select count(*) as unsatisfied
    from (
      select (s.step_id >> 20 << 20) + d.ordinal as parent_id
      from unnest(ts.dependencies) d(ordinal)
      join tasker_core.template_steps pts on pts.template_step_id = (ts.template_step_id >> 20 << 20) + d.ordinal
      where ts.initial and pts.initial
      union all
      select x.from_id from tasker_core.step_edges x where x.to_id = s.step_id
    ) p
    join tasker_core.steps ps on ps.step_id = p.parent_id
    where ps.state not in ('complete', 'resolved_manually') and not (ps.state = 'error' and ps.failure_tolerated)
  ) e
  where s.state = 'pending' and s.pending_dependencies <> e.unsatisfied
$$;
