-- purpose: registers a compiled template (core/src/model/compile.ts); the same content again changes nothing.
--          p_template: { namespace, name, version, description, identity_strategy, content_hash, configuration,
--            steps: [{ ordinal, name, callable, type, initial, pending_dependencies, dependencies, children, late_children,
--                      retryable, max_attempts, backoff, backoff_base_ms, backoff_cap_ms, backoff_multiplier,
--                      backoff_jitter }] }
--          p_uuids: uuids made by the application for rows that may have to be created (namespace, named task, then
--          one per step name).
-- locks: one advisory lock per namespace and name, then rows in the order of the statements.
create function tasker_core.register_template(p_template json, p_uuids uuid[])
returns table (template_id integer, namespace_id integer, named_task_id integer, created boolean)
language plpgsql set search_path to '' as $$
declare
  v_now timestamptz := tasker.now();
  v_namespace text := p_template ->> 'namespace';
  v_namespace_id integer;
  v_named_task_id integer;
  v_template_id integer;
  v_created boolean := false;
begin
  perform pg_advisory_xact_lock(hashtextextended('tasker.template.' || v_namespace, 0));

  select n.namespace_id into v_namespace_id from tasker_core.namespaces n where n.name = v_namespace;
  if v_namespace_id is null then
    insert into tasker_core.namespaces (namespace_uuid, name, created_at, updated_at)
    values (p_uuids[1], v_namespace, v_now, v_now)
    returning namespaces.namespace_id into v_namespace_id;
    perform tasker_core.create_namespace_queues(v_namespace_id, v_namespace);
  end if;

  insert into tasker_core.named_tasks as t
    (named_task_uuid, namespace_id, name, version, description, configuration, identity_strategy, created_at, updated_at)
  values (
    p_uuids[2], v_namespace_id, p_template ->> 'name', p_template ->> 'version',
    left(p_template ->> 'description', 255),  -- whole in the configuration
    (p_template -> 'configuration')::jsonb,
    (p_template ->> 'identity_strategy')::tasker.identity_strategy, v_now, v_now
  )
  on conflict on constraint one_version_of_a_name_in_a_namespace do update set
    description = excluded.description, configuration = excluded.configuration,
    identity_strategy = excluded.identity_strategy,
    updated_at = case when t.configuration = excluded.configuration then t.updated_at else v_now end
  returning t.named_task_id into v_named_task_id;

  select t.template_id into v_template_id from tasker_core.templates t
  where t.named_task_id = v_named_task_id and t.content_hash = p_template ->> 'content_hash';
  if v_template_id is null then
    v_created := true;
    insert into tasker_core.callables (name)
    select distinct s ->> 'callable' from json_array_elements(p_template -> 'steps') s
    where not exists (select from tasker_core.callables c where c.name = s ->> 'callable')
    order by 1
    on conflict do nothing;
    insert into tasker_core.named_steps (named_step_uuid, name, created_at)
    select p_uuids[2 + s.i], s.step ->> 'name', v_now
    from json_array_elements(p_template -> 'steps') with ordinality s(step, i)
    where not exists (select from tasker_core.named_steps n where n.name = s.step ->> 'name')
    order by 2
    on conflict do nothing;

    insert into tasker_core.templates (named_task_id, namespace_id, content_hash, compiled, n_steps, n_initial, created_at)
    values (v_named_task_id, v_namespace_id, p_template ->> 'content_hash', p_template,
      json_array_length(p_template -> 'steps'),
      (select count(*) from json_array_elements(p_template -> 'steps') s where (s ->> 'initial')::boolean), v_now)
    returning templates.template_id into v_template_id;

    insert into tasker_core.template_steps
    select (v_template_id::bigint << 20) + s.ordinal, s.name, n.named_step_id, c.callable_id, s.type, s.initial,
      s.pending_dependencies, s.dependencies, s.children, coalesce(s.late_children, false), s.retryable, s.max_attempts, s.backoff,
      s.backoff_base_ms, s.backoff_cap_ms, s.backoff_multiplier, s.backoff_jitter
    from json_to_recordset(p_template -> 'steps') as s(
      ordinal integer, name text, callable text, type text, initial boolean, pending_dependencies integer,
      dependencies integer[], children integer[], late_children boolean, retryable boolean, max_attempts integer,
      backoff tasker_core.backoff_kind, backoff_base_ms integer, backoff_cap_ms integer,
      backoff_multiplier double precision, backoff_jitter double precision)
    join tasker_core.callables c on c.name = s.callable
    join tasker_core.named_steps n on n.name = s.name;
  end if;

  update tasker_core.named_tasks t set current_template_id = v_template_id
  where t.named_task_id = v_named_task_id and t.current_template_id is distinct from v_template_id;

  return query select v_template_id, v_namespace_id, v_named_task_id, v_created;
end $$;
