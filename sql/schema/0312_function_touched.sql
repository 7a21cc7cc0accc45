-- purpose: the children that the template gives to steps: one entry per (step, child), aligned. Reads without locks:
--          what it reads never changes.
create function tasker_core._children_of(p_step_ids bigint[], out parents bigint[], out children bigint[])
language plpgsql stable set search_path to '' as $$
declare
  v_ids bigint[];
  v_keys bigint[];
begin
  select array_agg(s.step_id), array_agg(s.template_step_id) into v_ids, v_keys
  from tasker_core.steps s where s.step_id = any(p_step_ids);
  select coalesce(array_agg(x.step_id), '{}'), coalesce(array_agg(x.child_id), '{}') into parents, children
  from (
    select s.step_id, (s.step_id & ~1048575::bigint) | c as child_id
    from (
      select v_ids[i] as step_id,
        (select ts.children from tasker_core.template_steps ts where ts.template_step_id = v_keys[i]) as children
      from generate_subscripts(v_ids, 1) i
    ) s, unnest(s.children) c
  ) x;
end $$;
