-- purpose: what readers of a task's graph start from: its step that a uuid names, and its edges, those of the template
--          between initial steps and those made at run time, each pair once. Steps are found by range, never by step_id >> 20.
-- Null when the uuid names no step: the id inside it must belong to the task whose half it carries.
create function tasker_core._existing_step_id(p_step_uuid uuid) returns bigint
language sql stable set search_path to '' as $$
  select s.step_id
  from tasker_core.steps s
  join tasker_core.task_requests r on r.task_id = tasker_core.step_id_of(p_step_uuid) >> 20
  where s.step_id = tasker_core.step_id_of(p_step_uuid)
    and tasker_core.step_uuid(r.task_uuid, s.step_id) = p_step_uuid
$$;

create function tasker_core._task_edges(p_task_id bigint) returns table (from_id bigint, to_id bigint)
language sql stable set search_path to '' as $$
  select p.step_id, s.step_id
  from tasker_core.steps s
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id and ts.initial
  cross join unnest(ts.dependencies) d(ordinal)
  join tasker_core.steps p on p.step_id = (p_task_id << 20) + d.ordinal
  join tasker_core.template_steps pts on pts.template_step_id = p.template_step_id and pts.initial
  where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
  union
  select e.from_id, e.to_id
  from tasker_core.step_edges e
  where e.from_id >= p_task_id << 20 and e.from_id < (p_task_id + 1) << 20 and e.name <> 'batch_turn'
$$;
