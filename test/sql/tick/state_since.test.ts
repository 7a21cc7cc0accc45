import { afterEach, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, LINEAR, SqlHost } from "../support/sql-host.js";

/**
 * contract/states.md section 9: staleness counts from the last transition, and another round of results ends with one into
 * steps_in_process.
 */
const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

async function times(taskId: bigint) {
  const { rows } = await database.pool.query<{ state: string; since: Date; logged: Date }>(
    `select t.state::text, t.state_since as since,
       (select max(l.at) from tasker_core.task_log l where l.task_id = t.task_id) as logged
     from tasker_core.tasks t where t.task_id = $1`,
    [taskId.toString()],
  );
  return rows[0] as { state: string; since: Date; logged: Date };
}

test("every round of results moves state_since to the time of its transition", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  let outcome = await host.create(1);
  const taskId = outcome.created[0]?.taskId as bigint;
  const seen: number[] = [];
  for (let step = 0; step < 4; step += 1) {
    const { state, since, logged } = await times(taskId);
    expect([state, since]).toEqual(["steps_in_process", logged]);
    seen.push(since.getTime());
    await new Promise((resolve) => setTimeout(resolve, 5));
    outcome = await host.tick(outcome.claims);
  }
  expect(new Set(seen).size).toBe(4);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  const done = await times(taskId);
  expect([done.state, done.since]).toEqual(["complete", done.logged]);
});

test("a result after which the task stays where it was leaves state_since alone", async () => {
  const host = await new SqlHost(database.pool).register([[], [], [0, 1]]);
  const { claims, created } = await host.create(1);
  const taskId = created[0]?.taskId as bigint;
  await host.tick(claims.slice(0, 1), { verdict: 1, hintMs: 60_000 });
  const waiting = await times(taskId);
  expect(waiting.state).toBe("evaluating_results");
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await host.tick(claims.slice(0, 1))).verdicts[0]?.status).toBe("committed");
  expect(await times(taskId)).toEqual(waiting);
});
