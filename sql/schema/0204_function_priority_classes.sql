-- purpose: a priority above 0 is class 2 (hi), below 0 class 0 (lo), and 0 class 1 (normal). Every namespace has a queue
--          per class; a queue's id says which: queue_id = namespace_id * 4 + class.
create function tasker_core.queue_id(p_namespace_id integer, p_priority integer) returns integer
language sql immutable parallel safe
as $$ select p_namespace_id * 4 + 1 + sign(p_priority)::integer $$;

create function tasker_core._queue_name(p_namespace text, p_queue_id integer) returns text
language sql immutable parallel safe
as $$ select 'worker_' || p_namespace || (array['_lo', '', '_hi'])[(p_queue_id & 3) + 1] || '_queue' $$;

-- Claims go round in cycles of ten: hi hi normal hi normal hi hi normal hi lo, which is 6 : 3 : 1 over any ten in a row.

-- How many of the p_count claims behind the first p_turn are p_class's. p_weights: of the classes 0, 1, 2 that share them
-- ({1,3,6}; 0 for one that has nothing to claim, so that the others' cycle is shorter).
create function tasker_core._class_share(p_class integer, p_count integer, p_turn bigint, p_weights integer[])
returns integer
language plpgsql immutable parallel safe set search_path to '' as $$
declare
  v_cycle integer := p_weights[1] + p_weights[2] + p_weights[3];
  v_above integer := case p_class when 0 then p_weights[1] when 1 then p_weights[1] + p_weights[2] else v_cycle end;
  v_below integer := v_above - p_weights[p_class + 1];
  v_from bigint := p_turn % v_cycle;
  v_to bigint := v_from + p_count;
begin
  return (v_to * v_above / v_cycle - v_from * v_above / v_cycle) - (v_to * v_below / v_cycle - v_from * v_below / v_cycle);
end $$;

-- Whose turn comes when: the place in the order of claims of the p_nth of a class. A bare expression, so that it is
-- inlined: claim_steps asks for every step that it has read.
create function tasker_core._class_place(p_class integer, p_nth bigint) returns bigint
language sql immutable parallel safe
as $$
  select case p_class
    when 0 then 10 * p_nth
    when 1 then 10 * ((p_nth - 1) / 3) + (array[3, 5, 8])[(p_nth - 1) % 3 + 1]
    else 10 * ((p_nth - 1) / 6) + (array[1, 2, 4, 6, 7, 9])[(p_nth - 1) % 6 + 1]
  end
$$;
