import { afterEach, describe, expect, test } from "vitest";
import {
  processStepResults,
  reconcileMessages,
  reconcileTasks,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, DIAMOND, LINEAR, type Shape, SqlHost } from "../support/sql-host.js";

/** DATABASE section 5: rows that are really deleted, in every place where a step may wait for one. */
const database = useTestDatabase();
const NOTHING = { timers: 0, steps: 0, nextAfter: 0n };

afterEach(() => assertIntegrity(database.pool));

async function hostIn(namespace: string, shape: Shape = LINEAR): Promise<SqlHost> {
  return await new SqlHost(database.pool).register(shape, { namespace });
}

/** As if the enqueueing of what waits in the queue had never happened. */
async function forget(namespace: string, taskIds: readonly bigint[], pending: number) {
  await database.pool.query(`delete from pgmq.q_worker_${namespace}_queue where vt <= now()`);
  const { rows } = await database.pool.query<{ step_id: bigint }>(
    `update tasker_core.steps set state = 'pending', message_id = null, pending_dependencies = $2
     where state = 'enqueued' and step_id >> 20 = any($1) returning step_id`,
    [taskIds.map(String), pending],
  );
  await database.pool.query(
    "delete from tasker_core.step_log where move = 'enqueue' and step_id = any($1)",
    [rows.map((row) => row.step_id.toString())],
  );
  for (const { step_id } of rows)
    await database.pool.query(
      "update tasker_core.tasks set n_pipeline = n_pipeline - 1 where task_id = $1",
      [(step_id >> 20n).toString()],
    );
}

async function submit(host: SqlHost, verdict: 0 | 1 = 0) {
  const { claims } = await host.claim();
  const reports = claims.map(({ stepId, token }) => ({
    stepId,
    token,
    verdict,
    executionMs: 1,
    hintMs: null,
    body: Buffer.from(`{"success":${verdict === 0}}`),
  }));
  await submitStepResults(database.pool, host.workerId, reports);
  return claims;
}

describe("queue messages", () => {
  test("are made again in the queue of the step's class", async () => {
    const host = await hostIn("lost_classes", [[]]);
    for (const priority of [5, 0, -5]) await host.create(2, { free: 0, priority });
    for (const queue of ["hi_queue", "queue", "lo_queue"])
      await database.pool.query(`delete from pgmq.q_worker_lost_classes_${queue}`);
    expect((await reconcileMessages(database.pool, 1000, 0n)).steps).toBe(6);
    for (const queue of ["hi_queue", "queue", "lo_queue"]) {
      const { rows } = await database.pool.query(
        `select count(*) as n from pgmq.q_worker_lost_classes_${queue}`,
      );
      expect(rows).toEqual([{ n: 2n }]);
    }
    const { claims } = await host.claim();
    expect(claims).toHaveLength(6);
    await host.tick(claims);
  });

  test.each([
    ["a success", 0],
    ["a failure", 1],
  ] as const)("%s that was stored and never settled is settled", async (name, verdict) => {
    const host = await hostIn(`lost_result_${verdict}`);
    await host.create(3, { free: 0 });
    const claims = await submit(host, verdict);
    const kept = await database.pool.query(
      `delete from pgmq.q_orchestration_step_results q
       where tasker_core.step_id_in(q.message) = any($1) returning 1`,
      [claims.slice(0, 2).map(({ stepId }) => stepId.toString())],
    );
    expect([name, kept.rows]).toEqual([name, [{ "?column?": 1 }, { "?column?": 1 }]]);
    expect(await reconcileMessages(database.pool, 1000, 0n)).toEqual({
      steps: 0,
      results: 2,
      nextAfter: 0n,
    });
    // The messages are there now.
    expect((await reconcileMessages(database.pool, 1000, 0n)).results).toBe(0);
    const settled = await processStepResults(database.pool, host.workerId, 100, 100);
    expect(settled.scanned).toBe(3);
    expect(await host.states(claims[0]?.taskId as bigint)).toEqual([
      verdict === 0 ? "complete" : "waiting_for_retry",
      verdict === 0 ? "enqueued" : "pending",
      "pending",
      "pending",
    ]);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual(NOTHING);
  });
});

describe("retry timers", () => {
  test("are made again, due when they were", async () => {
    const host = await new SqlHost(database.pool).register([[]], {
      namespace: "lost_timers",
      steps: { 0: { backoff: "linear", backoff_base_ms: 7000 } },
    });
    const created = await host.create(2);
    await host.tick(created.claims, { verdict: 1 });
    const ids = created.claims.map(({ stepId }) => stepId.toString());
    const due = `select step_id, due_at from tasker_core.step_timers where step_id = any($1) order by step_id`;
    const before = await database.pool.query(due, [ids]);
    expect(before.rows).toHaveLength(2);
    await database.pool.query("delete from tasker_core.step_timers where step_id = $1", [ids[0]]);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual({ ...NOTHING, timers: 1 });
    expect((await database.pool.query(due, [ids])).rows).toEqual(before.rows);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual(NOTHING);
    await database.pool.query(
      "update tasker_core.step_timers set due_at = now() where step_id = any($1)",
      [ids],
    );
    const woken = await host.tick([], { timerLimit: 10 });
    // Retries of other tests may be due too.
    const mine = woken.claims.filter(({ stepId }) => ids.includes(stepId.toString()));
    expect(mine).toHaveLength(2);
    await host.finish(woken);
  });

  test("of a blocked task are left away: an operator's action sends its steps", async () => {
    const host = await hostIn("blocked", [[], []]);
    const created = await host.create(1);
    const [retrying, failing] = created.claims;
    await host.tick(retrying === undefined ? [] : [retrying], { verdict: 1, hintMs: 1 });
    await host.tick(failing === undefined ? [] : [failing], { verdict: 2 });
    await database.pool.query("delete from tasker_core.step_timers");
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual(NOTHING);
  });
});

describe("steps that nobody sent", () => {
  test("are sent, whether their count of dependencies is right or not", async () => {
    const host = await hostIn("forgotten", DIAMOND);
    const created = await host.create(2);
    const [one, other] = created.claims.map(({ taskId }) => taskId) as [bigint, bigint];
    await host.tick(created.claims, { free: 0 });
    await forget("forgotten", [one], 0);
    // Of the other task not even the decrement happened.
    await forget("forgotten", [other], 1);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual({ ...NOTHING, steps: 4 });
    await assertIntegrity(database.pool);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual(NOTHING);
    const claimed = await host.claim();
    const { rested } = await host.finish(claimed);
    expect(rested.map(({ state }) => state)).toEqual(["complete", "complete"]);
  });

  test("while another branch of their task is still running", async () => {
    const host = await hostIn("branch", [[], [], [0], [1]]);
    const created = await host.create(1);
    const [left, right] = created.claims;
    await host.tick(left === undefined ? [] : [left], { free: 0 });
    await forget("branch", [left?.taskId as bigint], 0);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual({ ...NOTHING, steps: 1 });
    const rest = await host.tick(right === undefined ? [] : [right]);
    const claimed = await host.claim();
    const { rested } = await host.finish({ ...rest, claims: [...rest.claims, ...claimed.claims] });
    expect(rested.map(({ state }) => state)).toEqual(["complete"]);
  });

  test("are looked for without touching tasks that are well, running, blocked, waiting or done", async () => {
    const host = await hostIn("well", DIAMOND);
    const running = await host.create(2);
    await host.finish({ ...running, claims: running.claims.slice(0, 1) });
    await host.create(2, { free: 0 });
    const failing = await host.create(1);
    await host.tick(failing.claims, { verdict: 2 });
    const stamps = "select step_id, xmin::text from tasker_core.steps order by step_id";
    const before = await database.pool.query(stamps);
    expect(await reconcileTasks(database.pool, 1000, 0n)).toEqual(NOTHING);
    expect((await database.pool.query(stamps)).rows).toEqual(before.rows);
  });
});

test("pages of tasks follow one another", async () => {
  const host = await hostIn("task_pages", [[]]);
  const created = await host.create(25);
  await host.tick(created.claims, { verdict: 1, hintMs: 60_000 });
  await database.pool.query("delete from tasker_core.step_timers");
  let after = 0n;
  const pages: number[] = [];
  do {
    const found = await reconcileTasks(database.pool, 10, after);
    pages.push(found.timers);
    after = found.nextAfter;
  } while (after !== 0n);
  expect(pages.reduce((sum, timers) => sum + timers, 0)).toBe(25);
  expect(Math.max(...pages)).toBeLessThanOrEqual(10);
});
