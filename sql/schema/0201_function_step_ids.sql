-- purpose: a step's public id is arithmetic, so it needs no index: the first 64 bits (time, version 7, random) are its
--          task's, the last 62 are its step_id. Twin of core/src/model/ids.ts; test/sql compares them.
create function tasker_core.step_uuid(p_task_uuid uuid, p_step_id bigint) returns uuid
language sql immutable parallel safe
as $$
  select (
    left(p_task_uuid::text, 18) || '-'
    || left(to_hex(p_step_id | 'x8000000000000000'::bit(64)::bigint), 4) || '-'
    || right(to_hex(p_step_id | 'x8000000000000000'::bit(64)::bigint), 12)
  )::uuid
$$;

create function tasker_core.step_id_of(p_step_uuid uuid) returns bigint
language sql immutable strict parallel safe
as $$
  select ('x' || replace(right(p_step_uuid::text, 17), '-', ''))::bit(64)::bigint & 4611686018427387903
$$;

-- The bytes of one body out of a batch: bodies are concatenated, p_ends[i] is where body i ends (cumulative).
-- Stable, as the cast is: declared immutable it would not be inlined, at twice the cost.
create function tasker_core._body(p_bodies bytea, p_ends integer[], p_index integer) returns json
language sql stable parallel safe
as $$
  select convert_from(
    substring(
      p_bodies
      from case when p_index = 1 then 1 else p_ends[p_index - 1] + 1 end
      for p_ends[p_index] - case when p_index = 1 then 0 else p_ends[p_index - 1] end
    ), 'UTF8'
  )::json
$$;

-- The step that a queue message names; null for a message that names none, which nobody can serve.
create function tasker_core.step_id_in(p_message jsonb) returns bigint
language sql immutable parallel safe
as $$
  select case when p_message ->> 'step_uuid' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then tasker_core.step_id_of((p_message ->> 'step_uuid')::uuid) end
$$;
