-- purpose: the children of steps: one entry per (step, child), aligned. Template edges never change and are read without
--          a lock. Where a later plan may give a step another child (it was made at run time itself, or has children that
--          are), `late` is true and the caller reads again with the step locked.
create function tasker_core._children_of(
  p_step_ids bigint[], out parents bigint[], out children bigint[], out late boolean
)
language plpgsql stable set search_path to '' as $$
declare
  v_ids bigint[];
  v_keys bigint[];
  v_dynamic bigint[];
  v_from bigint[];
  v_to bigint[];
begin
  select array_agg(s.step_id), array_agg(s.template_step_id) into v_ids, v_keys
  from tasker_core.steps s where s.step_id = any(p_step_ids);
  select coalesce(array_agg(x.step_id) filter (where x.child_id is not null), '{}'),
    coalesce(array_agg(x.child_id) filter (where x.child_id is not null), '{}'),
    array_agg(distinct x.step_id) filter (where not x.initial or x.late_children), coalesce(bool_or(not x.initial or x.late_children), false)
  into parents, children, v_dynamic, late
  from (
    select s.step_id, (s.template).initial, (s.template).late_children, (s.step_id & ~1048575::bigint) | c as child_id
    from (
      select v_ids[i] as step_id,
        (select ts from tasker_core.template_steps ts where ts.template_step_id = v_keys[i]) as template
      from generate_subscripts(v_ids, 1) i
    ) s left join lateral unnest((s.template).children) c on true
  ) x;
  if v_dynamic is not null then
    select array_agg(e.from_id), array_agg(e.to_id) into v_from, v_to
    from tasker_core.step_edges e where e.from_id = any(v_dynamic);
    parents := parents || coalesce(v_from, '{}');
    children := children || coalesce(v_to, '{}');
  end if;
end $$;
