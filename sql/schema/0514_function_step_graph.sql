-- purpose: questions about a task's graph: levels, ancestors, whether an edge would close a cycle; and the graph as a view.
-- Longest path from a root. Rows are deduplicated per (step, level), so a wide graph does not multiply its paths; the
-- bound ends a walk in a graph that is no DAG.
create function tasker.calculate_dependency_levels(p_task_uuid uuid)
returns table (workflow_step_uuid uuid, dependency_level integer)
language sql stable set search_path to '' as $$
  with recursive task as materialized (
    select r.task_id, r.task_uuid, t.n_total
    from tasker_core.task_requests r join tasker_core.tasks t on t.task_id = r.task_id
    where r.task_uuid = p_task_uuid
  ), edges as materialized (
    select e.* from task, tasker_core._task_edges(task.task_id) e
  ), levels as (
    select s.step_id, 0 as level
    from task join tasker_core.steps s on s.step_id >= task.task_id << 20 and s.step_id < (task.task_id + 1) << 20
    where not exists (select from edges e where e.to_id = s.step_id)
    union
    select e.to_id, l.level + 1
    from levels l join edges e on e.from_id = l.step_id
    where l.level < (select n_total from task)
  )
  select tasker_core.step_uuid((select task_uuid from task), l.step_id), max(l.level)
  from levels l group by l.step_id order by 2, 1
$$;

-- distance 1 is a direct parent; a step reached over paths of different lengths appears once per length.
create function tasker.get_step_transitive_dependencies(p_step_uuid uuid)
returns table (
  workflow_step_uuid uuid, task_uuid uuid, named_step_uuid uuid, step_name text, results jsonb, processed boolean,
  distance integer
)
language sql stable set search_path to '' as $$
  with recursive target as materialized (
    select tasker_core._existing_step_id(p_step_uuid) as step_id
  ), edges as materialized (
    select e.* from target, tasker_core._task_edges(target.step_id >> 20) e
  ), ancestors as (
    select e.from_id as step_id, 1 as distance from target join edges e on e.to_id = target.step_id
    union
    select e.from_id, a.distance + 1 from ancestors a join edges e on e.to_id = a.step_id where a.distance < 50
  )
  select tasker_core.step_uuid(r.task_uuid, s.step_id), r.task_uuid, ns.named_step_uuid,
    coalesce(s.name, ns.name)::text,
    (select sr.body::jsonb from tasker_core.step_results sr where sr.step_id = s.step_id order by sr.token desc limit 1),
    s.state in ('complete', 'cancelled', 'resolved_manually'), a.distance
  from ancestors a
  join tasker_core.steps s on s.step_id = a.step_id
  join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
  join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
  join tasker_core.task_requests r on r.task_id = a.step_id >> 20
  order by a.distance, s.step_id
$$;

-- Whether the edge from -> to would close a cycle: `to` reaches `from` already.
create function tasker.detect_cycle(p_from_step_uuid uuid, p_to_step_uuid uuid) returns boolean
language sql stable set search_path to '' as $$
  with recursive ends as materialized (
    select tasker_core._existing_step_id(p_from_step_uuid) as from_id,
      tasker_core._existing_step_id(p_to_step_uuid) as to_id
  ), edges as materialized (
    select e.* from ends, tasker_core._task_edges(ends.to_id >> 20) e
  ), reached as (
    select to_id as step_id from ends
    union
    select e.to_id from reached r join edges e on e.from_id = r.step_id
  )
  select exists (select from reached r, ends where r.step_id = ends.from_id)
$$;

create function tasker_core._task_dag(p_task_id bigint)
returns table (
  step_id bigint, parent_ids bigint[], child_ids bigint[], min_depth integer
)
language sql stable set search_path to '' as $$
  with recursive edges as materialized (
    select e.* from tasker_core._task_edges(p_task_id) e
  ), steps as materialized (
    select s.step_id,
      array(select e.from_id from edges e where e.to_id = s.step_id order by 1) as parent_ids,
      array(select e.to_id from edges e where e.from_id = s.step_id order by 1) as child_ids
    from tasker_core.steps s where s.step_id >= p_task_id << 20 and s.step_id < (p_task_id + 1) << 20
  ), depths as (
    select s.step_id, 0 as depth from steps s where s.parent_ids = '{}'
    union
    select e.to_id, d.depth + 1 from depths d join edges e on e.from_id = d.step_id
    where d.depth < (select count(*) from steps)
  )
  select s.step_id, s.parent_ids, s.child_ids, min(d.depth)
  from steps s left join depths d on d.step_id = s.step_id
  group by s.step_id, s.parent_ids, s.child_ids
$$;

create view tasker.step_dag_relationships as
select tasker_core.step_uuid(r.task_uuid, d.step_id) as workflow_step_uuid, r.task_uuid, ns.named_step_uuid,
  (select coalesce(jsonb_agg(tasker_core.step_uuid(r.task_uuid, u.id) order by u.id), '[]') from unnest(d.parent_ids) u(id))
    as parent_step_uuids,
  (select coalesce(jsonb_agg(tasker_core.step_uuid(r.task_uuid, u.id) order by u.id), '[]') from unnest(d.child_ids) u(id))
    as child_step_uuids,
  cardinality(d.parent_ids)::bigint as parent_count, cardinality(d.child_ids)::bigint as child_count,
  d.parent_ids = '{}' as is_root_step, d.child_ids = '{}' as is_leaf_step, d.min_depth as min_depth_from_root
from tasker_core.task_requests r
cross join lateral tasker_core._task_dag(r.task_id) d
join tasker_core.steps s on s.step_id = d.step_id
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id;
