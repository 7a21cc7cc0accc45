import { afterEach, expect, test } from "vitest";
import { openPumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

/** 0 decides; 1, 2 are branches, 3 joins them; 4 follows the join. Only 0 exists at the start. */
async function decisionHost(): Promise<SqlHost> {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  return await new SqlHost(database.pool).register([[], [0], [0], [1, 2], [3]], {
    steps: { 0: { children: [] }, 1: later, 2: later, 3: later, 4: later },
  });
}

const edge = (from: number, to: number, name = "provides") => ({ from, to, name });

test("a plan's steps run in the order of its edges, and the task completes with them", async () => {
  const host = await decisionHost();
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  expect(await host.states(taskId)).toEqual(["in_progress"]);

  const plan = {
    steps: [1, 2, 3, 4],
    workers: [],
    edges: [edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3), edge(3, 4)],
  };
  const decided = await host.tick(created.claims, { plan });
  expect(decided.claims.map((claim) => claim.templateOrdinal)).toEqual([1, 2]);
  expect(decided.restedTasks).toEqual([]);

  const { steps, rested } = await host.finish(decided);
  expect(steps).toBe(4);
  expect(rested).toEqual([{ taskId, state: "complete" }]);
});

test("a decision without a plan lets the task complete with what exists", async () => {
  const host = await decisionHost();
  const { rested } = await host.finish(await host.create(1));
  expect(rested.map((task) => task.state)).toEqual(["complete"]);
});

test("the same result twice creates nothing twice", async () => {
  const host = await decisionHost();
  const created = await host.create(1);
  const plan = { steps: [1], workers: [], edges: [edge(0, 1)] };
  await host.tick(created.claims, { plan });
  const again = await host.tick(created.claims, { plan });
  expect(again.verdicts[0]?.status).toBe("committed");
  expect(await host.states(created.created[0]?.taskId as bigint)).toEqual([
    "complete",
    "in_progress",
  ]);
});

test("a plan for one task of a batch leaves the others alone", async () => {
  const host = await decisionHost();
  const created = await host.create(3);
  const [first, ...rest] = created.claims;
  const plans = await host.tick([first as never], {
    plan: { steps: [1], workers: [], edges: [edge(0, 1)] },
  });
  const others = await host.tick(rest);
  expect(plans.claims).toHaveLength(1);
  expect(others.restedTasks).toHaveLength(2);
});

/** 0 analyzes; 1 is the template of the workers; 2 converges. */
async function batchHost(maxAttempts = 3): Promise<SqlHost> {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  return await new SqlHost(database.pool).register([[], [0], [1]], {
    steps: { 0: { children: [] }, 1: { ...later, max_attempts: maxAttempts }, 2: later },
  });
}

function batchPlan(count: number, tolerated: boolean) {
  const workers = Array.from({ length: count }, (_, i) => ({
    name: `process_${i}`,
    ordinal: 1,
    inputs: { cursor: { batch_id: `${i}` } },
    tolerated,
  }));
  return {
    steps: [2],
    workers,
    edges: workers.flatMap((_, i) => [
      edge(0, -1 - i, "batch_dependency"),
      edge(-1 - i, 2, "worker_to_convergence"),
    ]),
  };
}

test("batch workers are steps of their own, and the convergence waits for all of them", async () => {
  const pump = await openPumpConnection(database.url);
  const host = await batchHost();
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const expanded = await host.tick(created.claims, { plan: batchPlan(250, false) });
  expect(expanded.claims).toHaveLength(250);
  const { rows } = await database.pool.query<{ name: string; inputs: string }>(
    "select name, inputs from tasker.workflow_steps where step_id = $1",
    [expanded.claims[7]?.stepId.toString()],
  );
  expect(rows).toEqual([{ name: "process_7", inputs: '{"cursor": {"batch_id": "7"}}' }]);
  const most = await host.tick(expanded.claims.slice(1));
  expect(most.claims).toEqual([]);
  const last = await host.tick(expanded.claims.slice(0, 1));
  expect(last.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
  const { rested } = await host.finish(last);
  expect(rested).toEqual([{ taskId, state: "complete" }]);
  await pump.close();
});

test("a tolerated failure satisfies the convergence and counts as done", async () => {
  const host = await batchHost(1);
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const expanded = await host.tick(created.claims, { plan: batchPlan(2, true) });
  expect((await host.tick(expanded.claims.slice(0, 1), { verdict: 2 })).claims).toEqual([]);
  const converging = await host.tick(expanded.claims.slice(1));
  expect(converging.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
  const { rested } = await host.finish(converging);
  expect(rested).toEqual([{ taskId, state: "complete" }]);
});

test("a failure that is not tolerated blocks the task, and the convergence never runs", async () => {
  const host = await batchHost(1);
  const created = await host.create(1);
  const expanded = await host.tick(created.claims, { plan: batchPlan(2, false) });
  await host.tick(expanded.claims.slice(0, 1), { verdict: 2 });
  const other = await host.tick(expanded.claims.slice(1));
  expect(other.claims).toEqual([]);
  expect(await host.taskState(created.created[0]?.taskId as bigint)).toBe("blocked_by_failures");
});

test("two decisions that share a convergence count each parent once", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await new SqlHost(database.pool).register([[], [], [0], [1], [2, 3]], {
    steps: { 0: { children: [] }, 1: { children: [] }, 2: later, 3: later, 4: later },
  });
  const created = await host.create(1);
  const [a, b] = created.claims;
  const first = await host.tick([a as never], {
    plan: { steps: [2, 4], workers: [], edges: [edge(0, 2), edge(2, 4)] },
  });
  const second = await host.tick([b as never], {
    plan: { steps: [3, 4], workers: [], edges: [edge(1, 3), edge(3, 4)] },
  });
  expect([first.claims.length, second.claims.length]).toEqual([1, 1]);
  expect((await host.tick(first.claims)).claims).toEqual([]);
  const joined = await host.tick(second.claims);
  expect(joined.claims.map((claim) => claim.templateOrdinal)).toEqual([4]);
});

test("a step from the start may get a child later: before it is done it counts, after it does not", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await new SqlHost(database.pool).register([[], [], [0, 1]], {
    steps: { 0: { children: [] }, 1: { children: [], late_children: true }, 2: later },
  });
  const plan = { steps: [2], workers: [], edges: [edge(0, 2), edge(1, 2)] };

  const early = await host.create(1);
  const [decision, prepare] = early.claims;
  expect((await host.tick([decision as never], { plan })).claims).toEqual([]);
  const prepared = await host.tick([prepare as never]);
  expect(prepared.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);

  const late = await host.create(1);
  const [decides, prepares] = late.claims;
  await host.tick([prepares as never]);
  const decided = await host.tick([decides as never], { plan });
  expect(decided.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
});

test("a late edge made while its parent's result is on the way is not lost", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const [one, two] = await Promise.all([1, 2].map(() => openPumpConnection(database.url)));
  if (one === undefined || two === undefined) throw new Error("no connections");
  const host = await new SqlHost(one).register([[], [], [0, 1]], {
    steps: { 0: { children: [] }, 1: { children: [], late_children: true }, 2: later },
  });
  const created = await host.create(1);
  const [decision, prepare] = created.claims;
  const other = new SqlHost(two);
  other.templateId = host.templateId;
  other.namespaceId = host.namespaceId;
  await other.join(["work"]);

  await one.query("begin");
  const plan = { steps: [2], workers: [], edges: [edge(0, 2), edge(1, 2)] };
  await host.tick([decision as never], { plan });
  // The second tick has read the edges before the first commits, and waits for the parent's row.
  const waiting = other.tick([prepare as never]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await one.query("commit");
  expect((await waiting).claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
  await Promise.all([one.close(), two.close()]);
});

test("a child given to a step made at run time, while that step's result is on the way, is not lost", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const [one, two] = await Promise.all([1, 2].map(() => openPumpConnection(database.url)));
  if (one === undefined || two === undefined) throw new Error("no connections");
  // 0 and 1 decide; 0 creates 2, then 1 gives the running 2 a child.
  const host = await new SqlHost(one).register([[], [], [0], [1, 2]], {
    steps: { 0: { children: [] }, 1: { children: [] }, 2: later, 3: later },
  });
  const created = await host.create(1);
  const [first, second] = created.claims;
  const running = await host.tick([first as never], {
    plan: { steps: [2], workers: [], edges: [edge(0, 2)] },
  });
  const other = new SqlHost(two);
  other.templateId = host.templateId;
  other.namespaceId = host.namespaceId;
  await other.join(["work"]);

  await one.query("begin");
  const plan = { steps: [2, 3], workers: [], edges: [edge(1, 3), edge(2, 3)] };
  await host.tick([second as never], { plan });
  const waiting = other.tick(running.claims);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await one.query("commit");
  expect((await waiting).claims.map((claim) => claim.templateOrdinal)).toEqual([3]);
  await Promise.all([one.close(), two.close()]);
});

test("two plans of one batch that name the same steps send each of them once, to its own callable", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await new SqlHost(database.pool).register([[], [], [0, 1], [0, 1], [0, 1]], {
    steps: {
      0: { children: [] },
      1: { children: [] },
      2: { ...later, callable: "a" },
      3: { ...later, callable: "b" },
      4: { ...later, callable: "c" },
    },
  });
  await host.join(["work", "a", "b", "c"]);
  const created = await host.create(1);
  const plan = { steps: [2, 3, 4], workers: [], edges: [2, 3, 4].map((to) => edge(0, to)) };
  const decided = await host.tick(created.claims, { plan });
  expect(decided.claims.map((claim) => claim.templateOrdinal)).toEqual([2, 3, 4]);
  const { rows } = await database.pool.query<{ same: boolean }>(
    `select bool_and((q.headers ->> 'callable')::integer = s.callable_id) as same
     from pgmq.q_worker_shapes_queue q join tasker_core.steps s on s.message_id = q.msg_id
     where s.step_id >> 20 = $1`,
    [created.created[0]?.taskId.toString()],
  );
  expect(rows).toEqual([{ same: true }]);
});

test("a second batch with the same worker names is refused, and only its own step fails", async () => {
  const host = await batchHost();
  const created = await host.create(1);
  await host.tick(created.claims, { plan: batchPlan(2, false) });
  const taskId = created.created[0]?.taskId as bigint;
  await database.pool.query(
    `update tasker_core.steps set state = 'in_progress', lease_token = 9, leased_until = now() + interval '1 minute'
     where step_id = $1`,
    [(taskId << 20n).toString()],
  );
  const again = host.tick([{ stepId: taskId << 20n, token: 9 }], { plan: batchPlan(2, false) });
  await expect(again).rejects.toMatchObject({ code: "22023" });
  await database.pool.query(
    "update tasker_core.steps set state = 'complete', leased_until = null where step_id = $1",
    [(taskId << 20n).toString()],
  );
});
