-- purpose: what the REST API answers about templates (contract/rest.md section 2.7).
create function tasker_core.api_template_list(p_namespace text, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select json_build_object(
    'namespaces', (
      select coalesce(json_agg(json_build_object('name', x.name, 'description', x.description,
        'template_count', (select count(*) from tasker_core.named_tasks n where n.namespace_id = x.namespace_id))
        order by x.name), '[]')
      from tasker_core.namespaces x where tasker_core._within(x.name, p_namespaces)),
    'templates', (
      select coalesce(json_agg(json_build_object('name', n.name, 'namespace', ns.name, 'version', n.version,
        'description', n.description, 'step_count', t.n_steps) order by ns.name, n.name, n.named_task_id), '[]')
      from tasker_core.named_tasks n
      join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
      join tasker_core.templates t on t.template_id = n.current_template_id
      where tasker_core._within(ns.name, p_namespaces) and (p_namespace is null or ns.name = p_namespace)),
    'total_count', (select count(*) from tasker_core.named_tasks n
      join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
      where tasker_core._within(ns.name, p_namespaces)))
$$;

-- Null when there is no such template. The configuration is never shown.
create function tasker_core.api_template(p_namespace text, p_name text, p_version text, p_namespaces text[])
returns json
language sql stable set search_path to '' as $$
  select json_build_object('name', n.name, 'namespace', ns.name, 'version', n.version, 'description', n.description,
    'configuration', null, 'steps', (
      select coalesce(json_agg(json_build_object('name', ts.name, 'description', c.step ->> 'description',
        'default_retryable', ts.retryable, 'default_max_attempts', ts.max_attempts,
        'result_schema', c.step -> 'result_schema') order by ts.template_step_id), '[]')
      from tasker_core.template_steps ts
      left join lateral (
        select e.step from jsonb_array_elements(n.configuration -> 'steps') e(step) where e.step ->> 'name' = ts.name
      ) c on true
      where ts.template_step_id >= n.current_template_id::bigint << 20
        and ts.template_step_id < (n.current_template_id + 1)::bigint << 20))
  from tasker_core.named_tasks n
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where ns.name = p_namespace and n.name = p_name and n.version = p_version
    and tasker_core._within(ns.name, p_namespaces)
$$;

-- Every version of what is registered, with what a page about it needs; p_namespace and p_name narrow it down.
create function tasker_core.api_handlers(p_namespace text, p_name text, p_namespaces text[])
returns table (
  namespace text, name text, version text, description text, configuration jsonb, created_at timestamptz,
  namespace_description text)
language sql stable set search_path to '' as $$
  select ns.name, n.name, n.version, n.description, n.configuration, n.created_at, ns.description
  from tasker_core.named_tasks n
  join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
  where tasker_core._within(ns.name, p_namespaces) and (p_namespace is null or ns.name = p_namespace)
    and (p_name is null or n.name = p_name)
  order by ns.name, n.name, n.named_task_id
$$;
