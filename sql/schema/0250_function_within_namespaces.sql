-- purpose: what exists for a caller that is limited to p_namespaces. Null: it is not limited.
create function tasker_core._within(p_namespace text, p_namespaces text[]) returns boolean
language sql immutable parallel safe
return p_namespaces is null or p_namespace = any(p_namespaces);

create function tasker_core._task_within(p_task_id bigint, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select p_namespaces is null or exists (
    select from tasker_core.task_requests r
    join tasker_core.named_tasks n on n.named_task_id = r.named_task_id
    join tasker_core.namespaces ns on ns.namespace_id = n.namespace_id
    where r.task_id = p_task_id and ns.name = any(p_namespaces))
$$;
