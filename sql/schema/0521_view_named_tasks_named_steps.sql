-- purpose: which steps a named task's current template has. The uuid is derived so that it is stable.
create view tasker.named_tasks_named_steps as
select md5('ntns:' || t.named_task_id || ':' || ns.named_step_id)::uuid as ntns_uuid, t.named_task_uuid,
  ns.named_step_uuid, ts.retryable as default_retryable, ts.max_attempts as default_max_attempts,
  t.created_at at time zone 'UTC' as created_at, t.updated_at at time zone 'UTC' as updated_at
from tasker_core.named_tasks t
join tasker_core.template_steps ts on ts.template_step_id >= t.current_template_id::bigint << 20
  and ts.template_step_id < (t.current_template_id + 1)::bigint << 20
join tasker_core.named_steps ns on ns.named_step_id = ts.named_step_id;
