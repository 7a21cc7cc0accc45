import { afterEach, describe, expect, test } from "vitest";
import {
  cancelTasks,
  readQueueDepths,
  releaseSteps,
  renewLeases,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

/** DATABASE section 3: a queue per class of priority, claimed 6 : 3 : 1, first in first out within a class. */
const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

type Counts = Partial<Record<"hi" | "normal" | "lo", number>>;

const PRIORITIES = { hi: 7, normal: 0, lo: -3 } as const;

async function hostWith(namespace: string, waiting: Counts): Promise<SqlHost> {
  const host = await new SqlHost(database.pool).register([[]], { namespace });
  await fill(host, waiting);
  return host;
}

async function fill(host: SqlHost, waiting: Counts): Promise<void> {
  for (const [name, count] of Object.entries(waiting)) {
    const priority = PRIORITIES[name as keyof Counts];
    await host.create(count, { free: 0, priority });
  }
}

/** How many of the claimed steps came from which class. */
async function classesOf(claims: readonly { readonly taskId: bigint }[]): Promise<Counts> {
  const { rows } = await database.pool.query<{ task_id: bigint; priority: number }>(
    "select task_id, priority from tasker_core.task_requests where task_id = any($1)",
    [claims.map(({ taskId }) => taskId.toString())],
  );
  const counts = { hi: 0, normal: 0, lo: 0 };
  for (const { priority } of rows)
    counts[priority > 0 ? "hi" : priority < 0 ? "lo" : "normal"] += 1;
  return counts;
}

async function messages(queue: string): Promise<number> {
  const { rows } = await database.pool.query<{ n: bigint }>(
    `select count(*) as n from pgmq.q_${queue}`,
  );
  return Number(rows[0]?.n);
}

async function claimInAll(host: SqlHost, calls: number, limit: number): Promise<Counts> {
  const claims = [];
  for (let call = 0; call < calls; call += 1)
    claims.push(...(await host.claim({ limit, free: limit })).claims);
  return await classesOf(claims);
}

test("a step waits in the queue of its task's class", async () => {
  const host = await hostWith("classes", { hi: 3, normal: 2, lo: 1 });
  expect([
    await messages("worker_classes_hi_queue"),
    await messages("worker_classes_queue"),
    await messages("worker_classes_lo_queue"),
  ]).toEqual([3, 2, 1]);
  await host.claim({ limit: 1, free: 1 });
  const depths = await readQueueDepths(database.pool);
  expect(
    depths
      .filter(({ namespace }) => namespace === "classes")
      .map((queue) => [queue.queueName, queue.class, queue.depth, queue.visible]),
  ).toEqual([
    ["worker_classes_hi_queue", 2, 3, 2],
    ["worker_classes_queue", 1, 2, 2],
    ["worker_classes_lo_queue", 0, 1, 1],
  ]);
  const results = depths.find(({ queueName }) => queueName === "orchestration_step_results");
  expect(results).toEqual({
    queueName: "orchestration_step_results",
    namespace: null,
    class: null,
    depth: 0,
    visible: 0,
    oldestSeconds: null,
  });
  expect(depths.find(({ visible }) => visible > 0)?.oldestSeconds).toBeGreaterThan(0);
});

describe("while every class has steps, they are claimed 6 : 3 : 1", () => {
  test.each([
    [1, 100],
    [1, 37],
    [10, 10],
    [34, 3],
    [100, 1],
  ])("%i calls of %i steps", async (calls, limit) => {
    const host = await hostWith(`ratio_${calls}_${limit}`, { hi: 80, normal: 50, lo: 30 });
    const counts = await claimInAll(host, calls, limit);
    const total = calls * limit;
    expect(counts.hi).toBeGreaterThanOrEqual(Math.floor(total * 0.6));
    expect(counts.hi).toBeLessThanOrEqual(Math.ceil(total * 0.6) + 1);
    expect(counts.normal).toBeGreaterThanOrEqual(Math.floor(total * 0.3));
    expect(counts.normal).toBeLessThanOrEqual(Math.ceil(total * 0.3) + 1);
    expect(counts.lo).toBeGreaterThanOrEqual(Math.floor(total * 0.1));
    expect(counts.lo).toBeLessThanOrEqual(Math.ceil(total * 0.1));
  });
});

describe("the share of an empty class goes to the others in their proportion", () => {
  test.each<[string, Counts, Counts]>([
    ["no_hi", { normal: 100, lo: 100 }, { hi: 0, normal: 30, lo: 10 }],
    ["no_normal", { hi: 100, lo: 100 }, { hi: 35, normal: 0, lo: 5 }],
    ["no_lo", { hi: 100, normal: 100 }, { hi: 27, normal: 13, lo: 0 }],
    ["only_lo", { lo: 100 }, { hi: 0, normal: 0, lo: 40 }],
    ["short_hi", { hi: 4, normal: 100, lo: 100 }, { hi: 4, normal: 27, lo: 9 }],
  ])("%s, at once and one by one", async (namespace, waiting, expected) => {
    const atOnce = await hostWith(namespace, waiting);
    expect(await claimInAll(atOnce, 1, 40)).toEqual(expected);
    const oneByOne = await claimInAll(await hostWith(`${namespace}_1`, waiting), 40, 1);
    for (const name of ["hi", "normal", "lo"] as const) {
      expect(oneByOne[name]).toBeGreaterThanOrEqual((expected[name] ?? 0) - 2);
      expect(oneByOne[name]).toBeLessThanOrEqual((expected[name] ?? 0) + 2);
    }
  });
});

test("a low step gets its turn although high ones keep coming", async () => {
  const host = await hostWith("starving", { hi: 10, lo: 3 });
  const firstLow: number[] = [];
  for (let call = 1; firstLow.length < 3 && call <= 60; call += 1) {
    const claimed = await host.claim({ limit: 1, free: 1 });
    if ((await classesOf(claimed.claims)).lo === 1) firstLow.push(call);
    await fill(host, { hi: 1 });
  }
  expect(firstLow).toHaveLength(3);
  expect(firstLow.at(-1)).toBeGreaterThanOrEqual(18);
  expect(firstLow.at(-1)).toBeLessThanOrEqual(33);
});

test("within a class the one that has waited longest goes first, whatever its id", async () => {
  const host = await hostWith("fifo", { hi: 3 });
  const [first] = (await host.claim({ limit: 1, free: 1 })).claims;
  if (first === undefined) throw new Error("nothing was claimed");
  await host.tick([first], { verdict: 1 });
  await host.tick([], { timerLimit: 10, free: 0 });
  const rest = [];
  for (let i = 0; i < 3; i += 1) rest.push(...(await host.claim({ limit: 1, free: 1 })).claims);
  expect(rest.map(({ taskId }) => taskId)).toEqual([
    first.taskId + 1n,
    first.taskId + 2n,
    first.taskId,
  ]);
});

test("in a pool with little room the classes take turns too", async () => {
  const host = await new SqlHost(database.pool).register([[], []], {
    namespace: "narrow",
    steps: { 0: { callable: "narrow" }, 1: { callable: "wide" } },
  });
  await host.join(["narrow", "wide"]);
  await fill(host, { hi: 40, normal: 40, lo: 40 });
  const { rows } = await database.pool.query<{ name: string }>(
    "select name from tasker_core.callables where name in ('narrow', 'wide') order by callable_id",
  );
  const narrow = [];
  // The turns go on with every claimed step: nine of the wide pool to one of the narrow one.
  for (let call = 0; call < 10; call += 1) {
    const free = rows.map(({ name }) => (name === "narrow" ? 1 : 8));
    const { claims } = await host.claim({ limit: 9, free });
    narrow.push(...claims.filter(({ templateOrdinal }) => templateOrdinal === 0));
  }
  expect(narrow).toHaveLength(10);
  const counts = await classesOf(narrow);
  expect(counts.hi).toBeGreaterThanOrEqual(5);
  expect(counts.hi).toBeLessThanOrEqual(8);
  expect((counts.normal ?? 0) + (counts.lo ?? 0)).toBeGreaterThanOrEqual(2);
});

test("places and shares describe the same cycle", async () => {
  const { rows } = await database.pool.query(
    `select turn, count, class from generate_series(0, 25) turn, generate_series(1, 23) count, generate_series(0, 2) class
     where tasker_core._class_share(class, count, turn, '{1,3,6}') <> (
       select count(*) from generate_series(1, count) n
       where tasker_core._class_place(class, n + tasker_core._class_share(class, (turn % 10)::integer, 0, '{1,3,6}'))
         <= turn % 10 + count)`,
  );
  expect(rows).toEqual([]);
});

describe("ready steps that are handed over", () => {
  async function ready(namespace: string, counts: Counts) {
    const host = await new SqlHost(database.pool).register([[], [0]], { namespace });
    const claims = [];
    for (const name of ["lo", "normal", "hi"] as const) {
      const priority = PRIORITIES[name];
      const created = await host.create(counts[name] ?? 0, { priority });
      claims.push(...created.claims);
    }
    return { host, claims };
  }

  test("go by class when there is not room for all", async () => {
    const { host, claims } = await ready("handed", { hi: 3, normal: 3, lo: 3 });
    const outcome = await host.tick(claims, { free: 4 });
    expect(await classesOf(outcome.claims)).toEqual({ hi: 3, normal: 1, lo: 0 });
    expect(outcome.queued).toBe(5);
  });

  test("take all the room while nothing above them is known to wait", async () => {
    const { host, claims } = await ready("alone", { lo: 8 });
    expect((await host.tick(claims, { free: 8 })).claims).toHaveLength(8);
  });

  test("take a quarter of it, and no more, while higher ones wait in the queue", async () => {
    const { host, claims } = await ready("modest", { hi: 3, normal: 8, lo: 8 });
    await fill(host, { hi: 20 });
    // Some are left of those that the scan was asked for.
    const scan = await host.claim({ limit: 5, free: 5 });
    expect(scan.waitingClass).toBe(2);
    host.waitingClass = 2;
    const outcome = await host.tick(claims, { free: 8 });
    expect(await classesOf(outcome.claims)).toEqual({ hi: 3, normal: 2, lo: 0 });
    const rest = await host.claim({ limit: 100 });
    expect(await classesOf(rest.claims)).toEqual({ hi: 15, normal: 6, lo: 8 });
    expect(rest.waitingClass).toBeNull();
  });
});

test("a retry, and a step made at run time, wait in the class of their task", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await new SqlHost(database.pool).register([[], [0]], {
    namespace: "stays",
    steps: { 0: { children: [], late_children: true }, 1: later },
  });
  const created = await host.create(1, { priority: 1 });
  await host.tick(created.claims, { verdict: 1 });
  await host.tick([], { timerLimit: 10, free: 0 });
  expect(await messages("worker_stays_hi_queue")).toBe(1);
  const again = await host.claim();
  const edges = [{ from: 0, to: 1, name: "decides" }];
  await host.tick(again.claims, { plan: { steps: [1], workers: [], edges }, free: 0 });
  expect(await messages("worker_stays_hi_queue")).toBe(1);
  expect(await messages("worker_stays_queue")).toBe(0);
  await host.finish(await host.claim());
  expect(await messages("worker_stays_hi_queue")).toBe(0);
});

test("leases of every class are renewed, given back and ended where their message is", async () => {
  const host = await hostWith("leased", { hi: 1, normal: 1, lo: 1 });
  const { claims } = await host.claim();
  const held = claims.map(({ stepId, token }) => ({ stepId, token }));
  expect(await renewLeases(database.pool, host.workerId, held, 60_000)).toEqual([]);
  for (const queue of ["hi_queue", "queue", "lo_queue"]) {
    const { rows } = await database.pool.query(
      `select s.leased_until = q.vt as same, q.vt > now() + interval '50 seconds' as later
       from pgmq.q_worker_leased_${queue} q
       join tasker_core.steps s on s.step_id = tasker_core.step_id_in(q.message)`,
    );
    expect(rows).toEqual([{ same: true, later: true }]);
  }
  const released = held.map((step) => ({ ...step, isDeath: false, isSuspect: false }));
  expect(await releaseSteps(database.pool, released)).toBe(3);
  const again = await host.claim();
  expect(again.claims).toHaveLength(3);
  const [first, ...others] = again.claims;
  await cancelTasks(database.pool, {
    taskIds: [first?.taskId as bigint],
    workerId: null,
    actor: "test",
    reason: null,
  });
  await host.tick(others);
  for (const queue of ["hi_queue", "queue", "lo_queue"])
    expect(await messages(`worker_leased_${queue}`)).toBe(0);
});

test("a message that somebody put into another class's queue is as good as its own", async () => {
  const host = await hostWith("elsewhere", { hi: 2 });
  await database.pool.query(
    `with moved as (delete from pgmq.q_worker_elsewhere_hi_queue returning message)
     insert into pgmq.q_worker_elsewhere_queue (vt, message) select now(), message from moved`,
  );
  const { claims } = await host.claim();
  expect(claims).toHaveLength(2);
  const { rested } = await host.finish({ ...(await host.claim()), claims });
  expect(rested).toHaveLength(2);
  expect(await messages("worker_elsewhere_queue")).toBe(0);
});

test("namespaces whose queue names meet share the queue, and each step runs once", async () => {
  const short = await hostWith("meet", { hi: 4 });
  const long = await hostWith("meet_hi", { normal: 4 });
  expect(await messages("worker_meet_hi_queue")).toBe(8);
  const mine = await short.claim({ limit: 3 });
  const theirs = await long.claim();
  expect([mine.claims.length, theirs.claims.length]).toEqual([3, 5]);
  await short.tick(mine.claims);
  await long.tick(theirs.claims);
  expect(await messages("worker_meet_hi_queue")).toBe(0);
});
