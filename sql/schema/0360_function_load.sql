-- purpose: what a host needs to build step events, a batch at a time; json comes back as the text that was accepted.
create function tasker_core.load_tasks(p_task_ids bigint[])
returns table (
  task_id bigint, task_uuid uuid, template_id integer, named_task_uuid uuid, correlation_id uuid,
  parent_correlation_id uuid, priority integer, requested_at timestamptz, created_at timestamptz, initiator text,
  source_system text, reason text, tags text, context text, identity_hash text, data_epoch integer
)
language sql stable set search_path to '' as $$
  select r.task_id, r.task_uuid, t.template_id, n.named_task_uuid, r.correlation_id, r.parent_correlation_id,
    r.priority, r.requested_at, r.created_at, r.initiator, r.source_system, r.reason, r.tags::text, r.context::text,
    r.identity_hash, t.data_epoch
  from tasker_core.task_requests r, tasker_core.tasks t, tasker_core.named_tasks n
  where r.task_id = any(p_task_ids) and t.task_id = r.task_id and n.named_task_id = r.named_task_id
$$;

-- The accepted result of each step that has one (the newest token).
create function tasker_core.load_results(p_step_ids bigint[])
returns table (step_id bigint, success boolean, body text)
language sql stable set search_path to '' as $$
  select distinct on (r.step_id) r.step_id, r.success, r.body::text
  from tasker_core.step_results r where r.step_id = any(p_step_ids) order by r.step_id, r.token desc
$$;

-- The stored progress of each step that has any.
create function tasker_core.load_checkpoints(p_step_ids bigint[]) returns table (step_id bigint, checkpoint text)
language sql stable set search_path to '' as $$
  select c.step_id, tasker_core._checkpoint_json(c)::text
  from tasker_core.step_checkpoints c where c.step_id = any(p_step_ids)
$$;

create function tasker_core.load_templates(p_template_ids integer[])
returns table (template_id integer, namespace_id integer, named_task_uuid uuid, compiled text, named_step_uuids uuid[])
language sql stable set search_path to '' as $$
  select t.template_id, t.namespace_id, n.named_task_uuid, t.compiled::text,
    array(select ns.named_step_uuid from tasker_core.template_steps ts
      join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id
      where ts.template_step_id >= t.template_id::bigint << 20
        and ts.template_step_id < (t.template_id + 1)::bigint << 20
      order by ts.template_step_id)
  from tasker_core.templates t join tasker_core.named_tasks n on n.named_task_id = t.named_task_id
  where t.template_id = any(p_template_ids)
$$;
