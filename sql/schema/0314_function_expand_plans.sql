-- purpose: creates what the results of decisions and batch analyzers call for, in the transaction that completes them.
--          p_plans: { "<step id>": { steps: [ordinal], workers: [{ name, ordinal, inputs, tolerated }],
--          edges: [{ from, to, name }] } }, where from and to are an ordinal of the template, or -1 - n for worker n.
--          Impossible plans never come here: the host has failed their steps (core/src/lifecycle/plans).
-- returns: the rows of all steps that the plans named, created or found, as they are afterwards; and how many were created.
-- locks:   none of its own. The caller holds the rows of existing steps that the plans name, and the tasks; it has
--          written the completing steps' states before.
create function tasker_core._expand_plans(
  p_plans json, p_completed bigint[], p_now timestamptz,
  out steps tasker_core.steps[], out task_ids bigint[], out created integer[]
)
language plpgsql set search_path to '' as $$
declare
  v_step_id bigint;
  v_plan json;
  v_task_id bigint;
  v_base bigint;
  v_template bigint;
  v_queue_id integer;
  v_next integer;
  v_named bigint[] := '{}';
  v_created integer;
  v_taken_name text;
  v_from bigint[];
  v_to bigint[];
  v_names text[];
  v_satisfied bigint[];
  v_children bigint[];
  v_counts integer[];
begin
  task_ids := '{}'; created := '{}';
  for v_step_id, v_plan in
    select k.key::bigint, k.value from json_each(p_plans) k where k.key::bigint = any(p_completed) order by 1
  loop
    v_task_id := v_step_id >> 20;
    v_base := v_task_id << 20;
    select s.template_step_id >> 20 << 20, s.queue_id into v_template, v_queue_id
    from tasker_core.steps s where s.step_id = v_step_id;
    select t.next_ordinal into v_next from tasker_core.tasks t where t.task_id = v_task_id;

    -- find or create
    with made as (
      insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
        max_attempts, retryable, created_at, updated_at)
      select v_base + o.value::integer, ts.template_step_id, v_queue_id, ts.callable_id, 'pending', 0,
        ts.max_attempts, ts.retryable, p_now, p_now
      from json_array_elements_text(v_plan -> 'steps') o,
        lateral (select * from tasker_core.template_steps x where x.template_step_id = v_template + o.value::integer) ts
      on conflict (step_id) do nothing
      returning 1
    )
    select count(*) into v_created from made;
    -- Two analyzers may use one worker template; a class 22 error makes the host fail this step alone.
    select s.name into v_taken_name from tasker_core.steps s
    where s.step_id >= v_base and s.step_id < v_base + 1048576
      and s.name = any(array(select w ->> 'name' from json_array_elements(v_plan -> 'workers') w))
    limit 1;
    if found then
      raise exception 'a batch worker named % exists in this task already', v_taken_name using errcode = '22023';
    end if;
    insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
      max_attempts, retryable, created_at, updated_at, name, inputs, failure_tolerated)
    select v_base + v_next + w.n - 1, ts.template_step_id, v_queue_id, ts.callable_id, 'pending', 0,
      ts.max_attempts, ts.retryable, p_now, p_now, w.worker ->> 'name', w.worker -> 'inputs',
      (w.worker ->> 'tolerated')::boolean
    from json_array_elements(v_plan -> 'workers') with ordinality w(worker, n),
      lateral (select * from tasker_core.template_steps x
        where x.template_step_id = v_template + (w.worker ->> 'ordinal')::integer) ts;
    update tasker_core.tasks t set next_ordinal = t.next_ordinal + json_array_length(v_plan -> 'workers')
    where t.task_id = v_task_id;

    -- edges: one counts only while its parent is not satisfied and its child is pending
    select array_agg(v_base + case when e.f < 0 then v_next - 1 - e.f else e.f end),
      array_agg(v_base + case when e.t < 0 then v_next - 1 - e.t else e.t end), array_agg(e.name)
    into v_from, v_to, v_names
    from (
      select (x ->> 'from')::integer as f, (x ->> 'to')::integer as t, x ->> 'name' as name
      from json_array_elements(v_plan -> 'edges') x
    ) e;
    v_satisfied := array(
      select s.step_id from tasker_core.steps s
      where s.step_id = any(v_from) and s.state in ('complete', 'resolved_manually') order by s.step_id);
    with made as (
      insert into tasker_core.step_edges (from_id, to_id, name, created_at)
      select v_from[i], v_to[i], v_names[i], p_now from generate_subscripts(v_from, 1) i
      on conflict do nothing
      returning from_id, to_id
    )
    select coalesce(array_agg(x.to_id order by x.to_id), '{}'), array_agg(x.n order by x.to_id)
    into v_children, v_counts
    from (
      select m.to_id, count(*)::integer as n from made m
      where not coalesce(v_satisfied[width_bucket(m.from_id, v_satisfied)] = m.from_id, false)
      group by m.to_id
    ) x;
    update tasker_core.steps s set
      pending_dependencies = s.pending_dependencies + v_counts[width_bucket(s.step_id, v_children)]
    where s.step_id = any(v_children) and s.state = 'pending';

    v_named := v_named || array(
      select v_base + o.value::integer from json_array_elements_text(v_plan -> 'steps') o
      union all
      select v_base + v_next + n from generate_series(0, json_array_length(v_plan -> 'workers') - 1) n);
    task_ids := task_ids || v_task_id;
    created := created || (v_created + json_array_length(v_plan -> 'workers'));
  end loop;
  -- Once, at the end: two plans may name one step.
  select coalesce(array_agg(s order by s.step_id), '{}') into steps
  from tasker_core.steps s where s.step_id = any(v_named);
end $$;

-- The steps that plans name and that may exist already, edges' parents included: to be locked before the tasks are.
create function tasker_core._planned_step_ids(p_plans json) returns bigint[]
language sql immutable set search_path to '' as $$
  select array(
    -- No rows for a null document.
    select (k.key::bigint & ~1048575::bigint) | o.value::integer
    from json_each(p_plans) k, json_array_elements_text(k.value -> 'steps') o
    union
    select (k.key::bigint & ~1048575::bigint) | (e.value ->> 'from')::integer
    from json_each(p_plans) k, json_array_elements(k.value -> 'edges') e where (e.value ->> 'from')::integer >= 0)
$$;

-- purpose: after locking: children that edges gave meanwhile to steps that may get late ones. Their rows are locked here
--          and added to p_steps; out of the usual order, so a deadlock is possible, is retried, and is rare.
create function tasker_core._late_children(
  p_step_ids bigint[], p_steps tasker_core.steps[],
  out parents bigint[], out children bigint[], out steps tasker_core.steps[]
)
language plpgsql set search_path to '' as $$
declare
  v_more tasker_core.steps[];
begin
  select c.parents, c.children into parents, children from tasker_core._children_of(p_step_ids) c;
  select array_agg(x.s) into v_more
  from (
    select s from tasker_core.steps s
    where s.step_id = any(array(
      select c from unnest(children) c where not exists (select from unnest(p_steps) l where l.step_id = c)))
    order by s.step_id for update
  ) x;
  steps := p_steps || coalesce(v_more, '{}');
end $$;
