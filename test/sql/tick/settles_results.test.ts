import { afterEach, expect, test } from "vitest";
import { openPumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, DIAMOND, LINEAR, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

test("a linear task runs to completion, one hand-off per stage", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  expect(created.claims.map((claim) => claim.attempts)).toEqual([1]);

  const { steps, rested } = await host.finish(created);

  expect(steps).toBe(4);
  expect(rested).toEqual([{ taskId, state: "complete" }]);
  expect(await host.states(taskId)).toEqual(["complete", "complete", "complete", "complete"]);
});

test("a join waits for all of its parents, and is decremented once by each", async () => {
  const host = await new SqlHost(database.pool).register(DIAMOND);
  const created = await host.create(1);
  const middle = await host.tick(created.claims);
  expect(middle.claims).toHaveLength(2);

  const afterOne = await host.tick(middle.claims.slice(0, 1));
  expect(afterOne.claims).toEqual([]);
  const again = await host.tick(middle.claims.slice(0, 1));
  expect(again.verdicts[0]?.status).toBe("committed");
  expect(again.claims).toEqual([]);

  const afterBoth = await host.tick(middle.claims.slice(1));
  expect(afterBoth.claims).toHaveLength(1);
  const last = await host.tick(afterBoth.claims);
  expect(last.restedTasks.map((task) => task.state)).toEqual(["complete"]);
});

test("two parents in one batch make the join ready once", async () => {
  const host = await new SqlHost(database.pool).register(DIAMOND);
  const middle = await host.tick((await host.create(1)).claims);
  const both = await host.tick(middle.claims);
  expect(both.claims).toHaveLength(1);
});

test("a result with another token changes nothing and is stale", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  const created = await host.create(1);
  const [claim] = created.claims;
  const late = { stepId: claim?.stepId as bigint, token: (claim?.token ?? 0) + 7 };
  const outcome = await host.tick([late]);
  expect(outcome.verdicts).toEqual([{ ...late, status: "stale" }]);
  expect(outcome.claims).toEqual([]);
  expect(await host.states(created.created[0]?.taskId as bigint)).toEqual([
    "in_progress",
    "pending",
    "pending",
    "pending",
  ]);
});

test("what a host has no room for goes to the queue and is claimed from there", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR, { namespace: "overflow" });
  const created = await host.create(5, { free: 2 });
  expect(created.claims).toHaveLength(2);
  expect(created.queued).toBe(3);
  const claimed = await host.claim();
  expect(claimed.claims).toHaveLength(3);
  expect((await host.claim()).claims).toEqual([]);
  const { rested } = await host.finish({
    ...created,
    claims: [...created.claims, ...claimed.claims],
  });
  expect(rested).toHaveLength(5);
});

test("a retryable failure waits for its delay and comes back with the next attempt", async () => {
  const host = await new SqlHost(database.pool).register([[]], {
    steps: { 0: { backoff: "linear", backoff_base_ms: 40 } },
  });
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const failed = await host.tick(created.claims, { verdict: 1 });
  expect(failed.claims).toEqual([]);
  expect(failed.nextTimerMs).toBeGreaterThan(0);
  expect(failed.nextTimerMs).toBeLessThanOrEqual(40);
  expect(await host.states(taskId)).toEqual(["waiting_for_retry"]);
  expect(await host.taskState(taskId)).toBe("waiting_for_dependencies");

  await new Promise((resolve) => setTimeout(resolve, 60));
  const retried = await host.tick([], { timerLimit: 10 });
  expect(retried.claims.map((claim) => claim.attempts)).toEqual([2]);
  const done = await host.tick(retried.claims);
  expect(done.restedTasks).toEqual([{ taskId, state: "complete" }]);
});

test("a server's hint decides the delay, within the step's cap", async () => {
  const host = await new SqlHost(database.pool).register([[]], {
    steps: { 0: { backoff: "exponential", backoff_base_ms: 10, backoff_cap_ms: 5_000 } },
  });
  const hinted = await host.tick((await host.create(1)).claims, { verdict: 1, hintMs: 3_000 });
  expect(hinted.nextTimerMs).toBeGreaterThan(2_000);
  expect(hinted.nextTimerMs).toBeLessThanOrEqual(3_000);
  await database.pool.query("delete from tasker_core.step_timers");
  const capped = await host.tick((await host.create(1)).claims, { verdict: 1, hintMs: 60_000 });
  expect(capped.nextTimerMs).toBeGreaterThan(4_000);
  expect(capped.nextTimerMs).toBeLessThanOrEqual(5_000);
  await database.pool.query("delete from tasker_core.step_timers");
});

test.each([
  ["permanent", 2, 3, 1],
  ["retryable until the attempts are used up", 1, 2, 2],
] as const)("a %s failure ends in error and blocks the task", async (_, verdict, limit, runs) => {
  const host = await new SqlHost(database.pool).register(LINEAR, {
    steps: { 0: { max_attempts: limit } },
  });
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  let claims = created.claims;
  let attempts = 0;
  while (claims.length > 0) {
    attempts += 1;
    await host.tick(claims, { verdict });
    claims = (await host.tick([], { timerLimit: 10 })).claims;
  }
  expect(attempts).toBe(runs);
  expect(await host.states(taskId)).toEqual(["error", "pending", "pending", "pending"]);
  expect(await host.taskState(taskId)).toBe("blocked_by_failures");
});

test("a template's retryable: false makes the first failure final", async () => {
  const host = await new SqlHost(database.pool).register([[]], {
    steps: { 0: { retryable: false } },
  });
  const created = await host.create(1);
  await host.tick(created.claims, { verdict: 1 });
  expect(await host.states(created.created[0]?.taskId as bigint)).toEqual(["error"]);
});

test("a failing branch blocks the task: the other branch's result is kept, its children stay pending", async () => {
  const host = await new SqlHost(database.pool).register([[], [0], [0], [1], [2]]);
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const middle = await host.tick(created.claims);
  await host.tick(middle.claims.slice(0, 1), { verdict: 2 });
  const late = await host.tick(middle.claims.slice(1));
  expect(late.verdicts[0]?.status).toBe("committed");
  expect(late.claims).toEqual([]);
  expect(await host.states(taskId)).toEqual([
    "complete",
    "error",
    "complete",
    "pending",
    "pending",
  ]);
  expect(await host.taskState(taskId)).toBe("blocked_by_failures");
});

test("a body that is not JSON is refused with a data error, and nothing of the batch is kept", async () => {
  const host = await new SqlHost(database.pool).register([[]]);
  const created = await host.create(2);
  await expect(host.tick(created.claims, { body: "{not json" })).rejects.toMatchObject({
    code: "22P02",
  });
  const { rows } = await database.pool.query<{ n: bigint }>(
    "select count(*) as n from tasker_core.step_results where step_id = any($1)",
    [created.claims.map((claim) => claim.stepId.toString())],
  );
  expect(rows[0]?.n).toBe(0n);
  const ok = await host.tick(created.claims);
  expect(ok.restedTasks).toHaveLength(2);
});

test("result bodies are kept as the text that was sent", async () => {
  const host = await new SqlHost(database.pool).register([[]]);
  const created = await host.create(1);
  const body = `{"b":1.0,"a":9007199254740993,"x":1e16,"b":[ 1 ]}`;
  await host.tick(created.claims, { body });
  const { rows } = await database.pool.query<{ body: string }>(
    "select body from tasker_core.load_results($1)",
    [[created.claims[0]?.stepId.toString()]],
  );
  expect(rows[0]?.body).toBe(body);
});

test("the same identity twice is one task, within a batch and across batches", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  const first = await host.create(3, { hashes: ["id-a", "id-b", "id-a"] });
  expect(first.created).toHaveLength(2);
  expect(first.duplicates.map((duplicate) => duplicate.position)).toEqual([2]);
  const second = await host.create(1, { hashes: ["id-b"] });
  expect(second.created).toEqual([]);
  expect(second.duplicates[0]?.taskId).toBe(first.created[1]?.taskId);
});

test("a template without steps completes at once", async () => {
  const host = await new SqlHost(database.pool).register([]);
  const created = await host.create(1);
  expect(created.restedTasks.map((task) => task.state)).toEqual(["complete"]);
});

test("the pump's planner settings run the same functions", async () => {
  const pump = await openPumpConnection(database.url);
  const host = await new SqlHost(pump).register(DIAMOND);
  const { rested } = await host.finish(await host.create(20));
  await pump.close();
  expect(rested).toHaveLength(20);
});

test("one call hands out no more than the room it was given, however its steps became ready", async () => {
  const host = await new SqlHost(database.pool).register([[], [0]], {
    steps: { 0: { max_attempts: 2 } },
  });
  const waiting = await host.create(3);
  await host.tick(waiting.claims, { verdict: 1, free: 0 });
  const running = await host.create(3);
  const outcome = await host.tick(running.claims, { free: 4, timerLimit: 10 });
  expect([outcome.claims.length, outcome.queued]).toEqual([4, 2]);
});
