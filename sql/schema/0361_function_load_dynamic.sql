-- purpose: what only the database knows of steps made at run time: their names and inputs, and whom they come after.
create function tasker_core.load_dynamic_steps(p_step_ids bigint[])
returns table (step_id bigint, name text, inputs text)
language sql stable set search_path to '' as $$
  select s.step_id, s.name, s.inputs::text from tasker_core.steps s where s.step_id = any(p_step_ids)
$$;

-- All ancestors over edges made at run time, up to and including the first step that existed from the start: its own
-- ancestors follow from the template.
create function tasker_core.load_dynamic_ancestors(p_step_ids bigint[])
returns table (step_id bigint, ancestor_id bigint, name text)
language sql stable set search_path to '' as $$
  with recursive reached(step_id, ancestor_id) as (
    select e.to_id, e.from_id from tasker_core.step_edges e where e.to_id = any(p_step_ids) and e.name <> 'batch_turn'
    union
    select r.step_id, e.from_id from reached r join tasker_core.step_edges e on e.to_id = r.ancestor_id and e.name <> 'batch_turn'
  )
  select r.step_id, r.ancestor_id, s.name
  from reached r join tasker_core.steps s on s.step_id = r.ancestor_id
$$;
