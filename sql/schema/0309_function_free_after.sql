-- purpose: room that is left per pool after steps with these callables were offered it: a call that sends twice hands out
--          p_free once. p_callables is ascending and aligned with p_pools.
create function tasker_core._free_after(
  p_free integer[], p_callables integer[], p_pools integer[], p_sent_callables integer[]
) returns integer[]
language sql immutable set search_path to '' as $$
  select array(
    select greatest(0, p_free[p] - (
      select count(*) from unnest(p_sent_callables) c
      where p_callables[width_bucket(c, p_callables)] = c and p_pools[width_bucket(c, p_callables)] = p)::integer)
    from generate_subscripts(p_free, 1) p order by p)
$$;
