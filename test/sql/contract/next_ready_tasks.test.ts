import { expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

test("of 5 000 tasks those with ready steps come back, in the order of their ageing priority", async () => {
  const host = await new SqlHost(database.pool).register([[], [0]], {
    steps: { 0: { backoff: "linear", backoff_base_ms: 60_000 } },
  });
  const waiting = await host.create(4);
  await host.tick(waiting.claims, { verdict: 1, body: '{"success":false}' });
  for (let i = 0; i < 10; i += 1) await host.create(500);
  const ids = waiting.created.map((task) => task.taskId.toString());
  // Due now: 0 was in its state for 30 min, 1 has a priority, 2 is too long in its state, 3 is not due.
  await database.pool.query(
    "update tasker_core.step_timers set due_at = now() where (step_id >> 20) = any($1)",
    [ids.slice(0, 3)],
  );
  await database.pool.query(
    `update tasker_core.tasks set state_since = now() - case when task_id = $1 then interval '30 minutes'
       else interval '61 minutes' end where task_id in ($1, $2)`,
    [ids[0], ids[2]],
  );
  await database.pool.query(
    "update tasker_core.task_requests set priority = 5 where task_id = $1",
    [ids[1]],
  );
  const started = Date.now();
  const { rows } = await database.pool.query<{ task_id: bigint | string; ready: number }>(
    `select t.task_id::text as task_id, r.ready_steps_count::int as ready, r.current_state
     from tasker.get_next_ready_tasks(10) r join tasker.tasks t on t.task_uuid = r.task_uuid
     order by r.computed_priority desc`,
  );
  expect(Date.now() - started).toBeLessThan(1000);
  expect(rows).toEqual([
    { task_id: ids[1], ready: 1, current_state: "waiting_for_dependencies" },
    { task_id: ids[0], ready: 1, current_state: "waiting_for_dependencies" },
  ]);
  const one = await database.pool.query("select priority from tasker.get_next_ready_task()");
  expect(one.rows).toEqual([{ priority: 5 }]);
  const info = await database.pool.query(
    `select i.ready_steps_count::int as ready from tasker.tasks t, tasker.get_task_ready_info(t.task_uuid) i
     where t.task_id = $1`,
    [ids[3]],
  );
  expect(info.rows).toEqual([{ ready: 0 }]);
}, 60_000);

test("a priority grows for an hour, then fades, then is a tenth", async () => {
  const { rows } = await database.pool.query(
    `select round(tasker_core._computed_priority(10, now - interval '30 min', now - interval '30 min', now), 3)::text as young,
       round(tasker_core._computed_priority(10, now - interval '12 h', now - interval '12 h', now), 3)::text as fading,
       tasker_core._computed_priority(10, now - interval '2 d', now - interval '2 d', now)::text as old
     from (select '2026-01-01'::timestamptz as now) x`,
  );
  expect(rows).toEqual([{ young: "10.050", fading: "3.679", old: "0.1" }]);
});
