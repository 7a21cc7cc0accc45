-- purpose: what the REST API answers about dead letters (contract/rest.md section 2.7). Names of reasons and resolutions
--          are PascalCase there, every time is without a zone.
create function tasker_core._pascal(p_name text) returns text
language sql immutable parallel safe
return replace(initcap(replace(p_name, '_', ' ')), ' ', '');

create function tasker_core._api_dlq_entry(p_entry tasker.tasks_dlq) returns json
language sql stable set search_path to '' as $$
  select json_build_object('dlq_entry_uuid', p_entry.dlq_entry_uuid, 'task_uuid', p_entry.task_uuid,
    'original_state', p_entry.original_state, 'dlq_reason', tasker_core._pascal(p_entry.dlq_reason::text),
    'dlq_timestamp', tasker_core._naive(p_entry.dlq_timestamp),
    'resolution_status', tasker_core._pascal(p_entry.resolution_status::text),
    'resolution_timestamp', tasker_core._naive(p_entry.resolution_timestamp),
    'resolution_notes', p_entry.resolution_notes, 'resolved_by', p_entry.resolved_by,
    'task_snapshot', p_entry.task_snapshot, 'metadata', p_entry.metadata,
    'created_at', tasker_core._naive(p_entry.created_at), 'updated_at', tasker_core._naive(p_entry.updated_at))
$$;

-- A dead letter outlives its task: then nobody who is limited to namespaces sees it.
create function tasker_core._dlq_within(p_task_uuid uuid, p_namespaces text[]) returns boolean
language sql stable set search_path to '' as $$
  select p_namespaces is null or tasker_core._api_task_id(p_task_uuid, p_namespaces) is not null
$$;

create function tasker_core.api_dlq_list(
  p_status tasker.dlq_resolution_status, p_limit integer, p_offset integer, p_namespaces text[]
) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(tasker_core._api_dlq_entry(x) order by x.dlq_timestamp desc, x.dlq_entry_uuid), '[]')
  from (
    select d.* from tasker.tasks_dlq d
    where (p_status is null or d.resolution_status = p_status) and tasker_core._dlq_within(d.task_uuid, p_namespaces)
    order by d.dlq_timestamp desc, d.dlq_entry_uuid limit p_limit offset p_offset
  ) x
$$;

-- The latest entry of a task; null when it has none.
create function tasker_core.api_dlq_of_task(p_task_uuid uuid, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select tasker_core._api_dlq_entry(d) from tasker.tasks_dlq d
  where d.task_uuid = p_task_uuid and tasker_core._dlq_within(d.task_uuid, p_namespaces)
  order by d.dlq_timestamp desc limit 1
$$;

-- What is null stays as it is. False when there is no such entry.
create function tasker_core.api_update_dlq(
  p_entry uuid, p_status tasker.dlq_resolution_status, p_notes text, p_resolved_by text, p_metadata jsonb,
  p_namespaces text[]
) returns boolean
language plpgsql set search_path to '' as $$
begin
  update tasker_core.tasks_dlq d set
    resolution_status = coalesce(p_status, d.resolution_status),
    resolution_timestamp = case when p_status is null then d.resolution_timestamp else tasker.now() end,
    resolution_notes = coalesce(p_notes, d.resolution_notes), resolved_by = coalesce(p_resolved_by, d.resolved_by),
    metadata = coalesce(p_metadata, d.metadata), updated_at = tasker.now()
  where d.dlq_entry_uuid = p_entry and tasker_core._task_within(d.task_id, p_namespaces);
  return found;
end $$;

create function tasker_core.api_dlq_stats(p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('dlq_reason', tasker_core._pascal(d.dlq_reason::text),
    'total_entries', d.total_entries, 'pending', d.pending, 'manually_resolved', d.manually_resolved,
    'permanent_failures', d.permanent_failures, 'cancelled', d.cancelled,
    'oldest_entry', tasker_core._naive(d.oldest_entry), 'newest_entry', tasker_core._naive(d.newest_entry),
    'avg_resolution_time_minutes', d.avg_resolution_time_minutes) order by d.dlq_reason), '[]')
  from tasker_core._dlq_dashboard(p_namespaces) d
$$;

create function tasker_core.api_dlq_queue(p_limit integer, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('dlq_entry_uuid', x.dlq_entry_uuid, 'task_uuid', x.task_uuid,
    'original_state', x.original_state, 'dlq_reason', tasker_core._pascal(x.dlq_reason::text),
    'dlq_timestamp', tasker_core._naive(x.dlq_timestamp), 'minutes_in_dlq', x.minutes_in_dlq,
    'namespace_name', x.namespace_name, 'task_name', x.task_name, 'current_state', x.current_state,
    'time_in_state_minutes', x.time_in_state_minutes, 'priority_score', x.priority_score)
    order by x.priority_score desc, x.dlq_entry_uuid), '[]')
  from (select q.* from tasker.v_dlq_investigation_queue q
    where tasker_core._dlq_within(q.task_uuid, p_namespaces) order by q.priority_score desc limit p_limit) x
$$;

create function tasker_core.api_staleness(p_limit integer, p_namespaces text[]) returns json
language sql stable set search_path to '' as $$
  select coalesce(json_agg(json_build_object('task_uuid', x.task_uuid, 'namespace_name', x.namespace_name,
    'task_name', x.task_name, 'current_state', x.current_state,
    'time_in_state_minutes', floor(x.time_in_state_minutes)::bigint,
    'task_age_minutes', floor(x.task_age_minutes)::bigint,
    'staleness_threshold_minutes', floor(x.staleness_threshold_minutes)::bigint,
    'health_status', x.health_status, 'priority', x.priority)), '[]')
  from (select m.* from tasker.v_task_staleness_monitoring m
    where tasker_core._within(m.namespace_name, p_namespaces) limit p_limit) x
$$;
