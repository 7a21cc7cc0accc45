-- purpose: DLQ and staleness as operators read them (contract/sql.md section 1, rest.md section 2.7).
create view tasker.tasks_dlq as
select d.dlq_entry_uuid, r.task_uuid, d.original_state, d.dlq_reason, d.dlq_timestamp at time zone 'UTC' as dlq_timestamp,
  d.resolution_status, d.resolution_timestamp at time zone 'UTC' as resolution_timestamp, d.resolution_notes,
  d.resolved_by, d.task_snapshot, d.metadata, d.created_at at time zone 'UTC' as created_at,
  d.updated_at at time zone 'UTC' as updated_at
from tasker_core.tasks_dlq d join tasker_core.task_requests r on r.task_id = d.task_id;

-- One row per reason that has entries.
create function tasker_core._dlq_dashboard(p_namespaces text[]) returns table (
  dlq_reason tasker.dlq_reason, total_entries bigint, pending bigint, manually_resolved bigint, permanent_failures bigint,
  cancelled bigint, oldest_entry timestamp, newest_entry timestamp, avg_resolution_time_minutes double precision)
language sql stable set search_path to '' as $$
select d.dlq_reason, count(*) as total_entries,
  count(*) filter (where d.resolution_status = 'pending') as pending,
  count(*) filter (where d.resolution_status = 'manually_resolved') as manually_resolved,
  count(*) filter (where d.resolution_status = 'permanently_failed') as permanent_failures,
  count(*) filter (where d.resolution_status = 'cancelled') as cancelled,
  min(d.dlq_timestamp) at time zone 'UTC' as oldest_entry, max(d.dlq_timestamp) at time zone 'UTC' as newest_entry,
  (avg(extract(epoch from d.resolution_timestamp - d.dlq_timestamp)) / 60)::double precision as avg_resolution_time_minutes
from tasker_core.tasks_dlq d
where tasker_core._task_within(d.task_id, p_namespaces)
group by d.dlq_reason
$$;

create view tasker.v_dlq_dashboard as select x.* from tasker_core._dlq_dashboard(null) x;

-- Pending entries, most urgent first.
create view tasker.v_dlq_investigation_queue as
select x.dlq_entry_uuid, x.task_uuid, x.original_state, x.dlq_reason, x.dlq_timestamp, x.minutes_in_dlq,
  x.namespace_name, x.task_name, x.current_state, x.time_in_state_minutes,
  case x.dlq_reason
    when 'dependency_cycle_detected' then 1000
    when 'max_retries_exceeded' then 500
    when 'staleness_timeout' then 100
    when 'worker_unavailable' then 50
    else 10
  end + x.minutes_in_dlq as priority_score
from (
  select d.dlq_entry_uuid, r.task_uuid, d.original_state, d.dlq_reason,
    d.dlq_timestamp at time zone 'UTC' as dlq_timestamp,
    (extract(epoch from tasker.now() - d.dlq_timestamp) / 60)::double precision as minutes_in_dlq,
    n.name as namespace_name, nt.name as task_name, t.state::text as current_state,
    floor(extract(epoch from tasker.now() - t.state_since) / 60)::integer as time_in_state_minutes
  from tasker_core.tasks_dlq d
  join tasker_core.task_requests r on r.task_id = d.task_id
  join tasker_core.tasks t on t.task_id = d.task_id
  join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
  join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
  where d.resolution_status = 'pending'
) x
order by priority_score desc;

-- How many tasks of a kind are in which state, and for how long.
create view tasker.v_task_state_analysis as
select n.name as namespace_name, nt.name as task_name, t.state::text as current_state, count(*) as task_count,
  (avg(extract(epoch from tasker.now() - t.state_since)) / 60)::double precision as avg_minutes_in_state,
  (max(extract(epoch from tasker.now() - t.state_since)) / 60)::double precision as max_minutes_in_state,
  min(t.state_since) at time zone 'UTC' as oldest_in_state_since
from tasker_core.tasks t
join tasker_core.task_requests r on r.task_id = t.task_id
join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
group by n.name, nt.name, t.state;

-- Watched tasks, stale ones first. Measured with the default limits where the template sets none: a view cannot know
-- the configuration of the hosts. `warning` from four fifths of a limit on.
create view tasker.v_task_staleness_monitoring as
select r.task_uuid, n.name as namespace_name, nt.name as task_name, x.state::text as current_state,
  x.minutes_in_state as time_in_state_minutes, x.age_minutes as task_age_minutes,
  x.threshold_minutes as staleness_threshold_minutes,
  case
    when x.is_stale then 'stale'
    when x.minutes_in_state >= x.threshold_minutes * 0.8 or x.age_minutes >= x.lifetime_minutes * 0.8 then 'warning'
    else 'healthy'
  end as health_status,
  r.priority
from tasker_core._staleness(null, 60, 30, 30, 24, true) x
join tasker_core.task_requests r on r.task_id = x.task_id
join tasker_core.named_tasks nt on nt.named_task_id = r.named_task_id
join tasker_core.namespaces n on n.namespace_id = nt.namespace_id
order by x.is_stale desc, x.minutes_in_state desc;
