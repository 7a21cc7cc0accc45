-- purpose: retention. Deletes tasks that have been final since before p_before, with everything that belongs to them; a
--          task whose DLQ entry is pending stays until somebody resolves it. Off the hot path. Looks at the tasks behind
--          p_after, up to p_look of them, and deletes up to p_limit, or as many as have p_max_steps steps (at least one).
--          The log's rows are left to sweep_log: it has no index that could find them.
-- returns: how many tasks it deleted, and where to go on: 0 when everything behind is too young.
-- locks:   steps ascending, then tasks ascending; then rows that only belong to them. Waits for nobody: a task of which
--          somebody holds a step stays until the next round.
create function tasker_core.delete_finished_tasks(
  p_before timestamptz, p_limit integer default 500, p_after bigint default 0, p_look integer default 10000,
  p_max_steps integer default 20000, out deleted integer, out next_after bigint
)
language plpgsql set search_path to '' as $$
declare
  v_ids bigint[];
  v_step_ids bigint[];
  v_held bigint[];
  v_looked integer;
  v_last bigint;
begin
  -- Ids follow the order of creation, and no task is final before it exists.
  select count(*), max(x.task_id),
    coalesce(array_agg(x.task_id order by x.task_id) filter (where x.is_due and x.steps_before < p_max_steps), '{}')
  into v_looked, v_last, v_ids
  from (
    select l.*, coalesce(sum(l.n_total) filter (where l.is_due)
      over (order by l.task_id rows between unbounded preceding and 1 preceding), 0) as steps_before
    from (
      select t.task_id, t.n_total, tasker_core._is_final(t.state) and t.state_since < p_before
        and not exists (select from tasker_core.tasks_dlq d
          where d.task_id = t.task_id and d.resolution_status = 'pending') as is_due
      from tasker_core.tasks t where t.task_id > p_after order by t.task_id limit p_look
    ) l
  ) x;
  deleted := 0;
  if v_looked = 0 then next_after := 0; return; end if;
  if cardinality(v_ids) > p_limit then v_ids := v_ids[1:p_limit]; end if;

  if cardinality(v_ids) > 0 then
    -- lock
    v_step_ids := array(
      select s.step_id from unnest(v_ids) i(task_id), lateral (
        select s.step_id from tasker_core.steps s
        where s.step_id >= i.task_id << 20 and s.step_id < (i.task_id + 1) << 20 offset 0) s
      order by 1);
    v_held := array(
      select x.step_id from (
        select s.step_id from tasker_core.steps s where s.step_id = any(v_step_ids)
        order by s.step_id for update skip locked) x);
    v_ids := array(
      select i from unnest(v_ids) i
      except select x >> 20 from (select unnest(v_step_ids) except select unnest(v_held)) u(x));
    v_ids := array(
      select x.task_id from (
        select t.task_id from tasker_core.tasks t
        where t.task_id = any(v_ids) and tasker_core._is_final(t.state) and t.state_since < p_before
        order by t.task_id for update skip locked) x);
    -- A new statement: an investigation may have been opened meanwhile.
    v_ids := array(
      select i from unnest(v_ids) i
      except select d.task_id from tasker_core.tasks_dlq d
        where d.task_id = any(v_ids) and d.resolution_status = 'pending'
      order by 1);
    v_step_ids := array(select x from unnest(v_step_ids) x where x >> 20 = any(v_ids) order by 1);
    deleted := cardinality(v_ids);

    -- delete
    perform tasker_core._withdraw_steps(array(select s from tasker_core.steps s where s.step_id = any(v_step_ids)));
    delete from tasker_core.step_edges e where e.from_id = any(v_step_ids);
    delete from tasker_core.step_checkpoints c where c.step_id = any(v_step_ids);
    delete from tasker_core.step_results r where r.step_id = any(v_step_ids);
    delete from tasker_core.steps s where s.step_id = any(v_step_ids);
    delete from tasker_core.operator_actions a where a.task_id = any(v_ids);
    delete from tasker_core.tasks_dlq d where d.task_id = any(v_ids);
    delete from tasker_core.task_identities i
    where i.identity_hash = any(array(
        select r.identity_hash from tasker_core.task_requests r where r.task_id = any(v_ids)))
      and i.task_id = any(v_ids);
    delete from tasker_core.task_requests r where r.task_id = any(v_ids);
    delete from tasker_core.tasks t where t.task_id = any(v_ids);
  end if;

  next_after := case
    when deleted > 0 then v_ids[deleted]
    when v_looked = p_look and (select r.created_at from tasker_core.task_requests r where r.task_id = v_last) < p_before
      then v_last
    else 0
  end;
end $$;

create function tasker_core._is_final(p_state tasker_core.task_state) returns boolean
language sql immutable parallel safe
as $$ select p_state in ('complete', 'error', 'cancelled', 'resolved_manually') $$;

-- purpose: takes the audit trail of deleted tasks away: looks at p_blocks blocks of each log from block p_from on. Not by
--          partition: a partition holds long-running tasks beside short ones, so dropping it would take history from
--          tasks that are still there, and a row says no more than that its task has gone. A log read in the order in
--          which it lies on disk needs no index, which would cost every write of the hot path.
-- returns: rows deleted, and where to go on: 0 at the end.
-- locks:   rows of the logs that nobody else writes.
create function tasker_core.sweep_log(
  p_from bigint, p_blocks integer default 1000, out deleted bigint, out next_from bigint
)
language plpgsql set search_path to '' as $$
declare
  v_to bigint := p_from + p_blocks;
  v_low tid := format('(%s,0)', p_from)::tid;
  v_high tid := format('(%s,0)', v_to)::tid;
  v_gone bigint[];
  v_count bigint;
begin
  -- Tasks are made in one commit with their first row, so one that is not there has been deleted.
  v_gone := array(
    select distinct l.step_id >> 20 from tasker_core.step_log l where l.ctid >= v_low and l.ctid < v_high
    union select distinct l.task_id from tasker_core.task_log l where l.ctid >= v_low and l.ctid < v_high);
  v_gone := array(select g from unnest(v_gone) g except select t.task_id from tasker_core.tasks t where t.task_id = any(v_gone));
  deleted := 0;
  if cardinality(v_gone) > 0 then
    delete from tasker_core.step_log l where l.ctid >= v_low and l.ctid < v_high and l.step_id >> 20 = any(v_gone);
    get diagnostics deleted = row_count;
    delete from tasker_core.task_log l where l.ctid >= v_low and l.ctid < v_high and l.task_id = any(v_gone);
    get diagnostics v_count = row_count;
    deleted := deleted + v_count;
  end if;
  next_from := case when v_to * current_setting('block_size')::bigint
    < greatest(pg_relation_size('tasker_core.step_log'), pg_relation_size('tasker_core.task_log')) then v_to else 0 end;
end $$;

-- purpose: messages of worker queues that nobody could read were archived by claim_steps; those archived before p_before go.
-- returns: messages deleted.
create function tasker_core.delete_archived_messages(p_before timestamptz, p_limit integer default 1000) returns bigint
language plpgsql set search_path to '' as $$
declare
  v_table text;
  v_count bigint;
  v_deleted bigint := 0;
begin
  for v_table in
    select distinct format('pgmq.%I', 'a_' || lower(tasker_core._queue_name(n.name, n.namespace_id * 4 + c)))
    from tasker_core.namespaces n, generate_series(0, 2) c order by 1
  loop
    execute format('delete from %1$s where msg_id = any(array(
      select a.msg_id from %1$s a where a.archived_at < $1 order by a.archived_at limit $2))', v_table)
    using p_before, p_limit;
    get diagnostics v_count = row_count;
    v_deleted := v_deleted + v_count;
  end loop;
  return v_deleted;
end $$;
