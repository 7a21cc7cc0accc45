-- purpose: the contract's tables (contract/sql.md section 1) as views over the physical ones: same names, columns and
--          types (timestamp without time zone, UTC). Writes go through functions.
create view tasker.task_namespaces as
select n.namespace_uuid as task_namespace_uuid, n.name, n.description,
  n.created_at at time zone 'UTC' as created_at, n.updated_at at time zone 'UTC' as updated_at
from tasker_core.namespaces n;

create view tasker.named_tasks as
select t.named_task_uuid, n.namespace_uuid as task_namespace_uuid, t.name, t.version, t.description, t.configuration,
  t.identity_strategy, t.created_at at time zone 'UTC' as created_at, t.updated_at at time zone 'UTC' as updated_at
from tasker_core.named_tasks t join tasker_core.namespaces n on n.namespace_id = t.namespace_id;

create view tasker.named_steps as
select s.named_step_uuid, s.name,
  -- Templates share the name; the one registered last has the word.
  (select left(tp.compiled #>> array['steps', (ts.template_step_id & 1048575)::text, 'definition', 'description'], 255)
   from tasker_core.template_steps ts join tasker_core.templates tp on tp.template_id = ts.template_step_id >> 20
   where ts.named_step_id = s.named_step_id order by ts.template_step_id desc limit 1)::varchar(255) as description,
  s.created_at at time zone 'UTC' as created_at, s.created_at at time zone 'UTC' as updated_at
from tasker_core.named_steps s;

create view tasker.tasks as
select r.task_uuid, n.named_task_uuid, t.state = 'complete' as complete, r.requested_at at time zone 'UTC' as requested_at,
  t.completed_at at time zone 'UTC' as completed_at, r.initiator, r.source_system, r.reason, r.tags::jsonb as tags,
  r.context::jsonb as context, r.identity_hash, r.priority, r.correlation_id, r.parent_correlation_id,
  r.created_at at time zone 'UTC' as created_at, t.state_since at time zone 'UTC' as updated_at,
  t.state::text as state, t.task_id
from tasker_core.tasks t
join tasker_core.task_requests r on r.task_id = t.task_id
join tasker_core.named_tasks n on n.named_task_id = r.named_task_id;

create view tasker.workflow_steps as
select tasker_core.step_uuid(r.task_uuid, s.step_id) as workflow_step_uuid, r.task_uuid, ns.named_step_uuid,
  s.retryable, s.max_attempts, s.state = 'in_progress' as in_process,
  s.state in ('complete', 'cancelled', 'resolved_manually') as processed,
  s.processed_at at time zone 'UTC' as processed_at, s.attempts,
  s.last_attempted_at at time zone 'UTC' as last_attempted_at, s.backoff_seconds as backoff_request_seconds,
  coalesce(s.inputs::jsonb, (
    select nullif((tp.compiled #> array['steps', (s.template_step_id & 1048575)::text, 'inputs'])::text, 'null')::jsonb
    from tasker_core.templates tp where tp.template_id = (s.template_step_id >> 20)
  )) as inputs,
  (select sr.body::jsonb from tasker_core.step_results sr where sr.step_id = s.step_id
   order by sr.token desc limit 1) as results,
  (select tasker_core._checkpoint_json(c)::jsonb from tasker_core.step_checkpoints c where c.step_id = s.step_id)
    as checkpoint,
  r.priority, s.created_at at time zone 'UTC' as created_at,
  s.updated_at at time zone 'UTC' as updated_at,
  coalesce(s.name, ns.name) as name, s.state::text as state, s.step_id
from tasker_core.steps s
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
join tasker_core.task_requests r on r.task_id = s.step_id >> 20;

-- Template edges are arithmetic: rendered, not stored. Their uuid is derived so that it is stable.
create view tasker.workflow_step_edges as
select md5(p.step_id || ':' || s.step_id || ':provides')::uuid as workflow_step_edge_uuid,
  tasker_core.step_uuid(r.task_uuid, p.step_id) as from_step_uuid,
  tasker_core.step_uuid(r.task_uuid, s.step_id) as to_step_uuid, 'provides'::varchar as name,
  s.created_at at time zone 'UTC' as created_at, s.created_at at time zone 'UTC' as updated_at
from tasker_core.steps s
join tasker_core.template_steps ts on ts.template_step_id = s.template_step_id and ts.initial
cross join unnest(ts.dependencies) d(ordinal)
join tasker_core.steps p on p.step_id = ((s.step_id >> 20) << 20) + d.ordinal
join tasker_core.template_steps pts on pts.template_step_id = p.template_step_id and pts.initial
join tasker_core.task_requests r on r.task_id = s.step_id >> 20
union all
select md5(e.from_id || ':' || e.to_id || ':' || e.name)::uuid, tasker_core.step_uuid(r.task_uuid, e.from_id),
  tasker_core.step_uuid(r.task_uuid, e.to_id), e.name, e.created_at at time zone 'UTC', e.created_at at time zone 'UTC'
from tasker_core.step_edges e join tasker_core.task_requests r on r.task_id = e.from_id >> 20
where e.name <> 'batch_turn';
