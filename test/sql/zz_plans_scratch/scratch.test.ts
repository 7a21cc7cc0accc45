import { expect, test } from "vitest";
import { openPumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
const edge = (from: number, to: number, name = "provides") => ({ from, to, name });
const later = { initial: false, pending_dependencies: 0, children: [] };

test("two decisions in one tick that both request one step", async () => {
  const host = await new SqlHost(database.pool).register([[], [], [0, 1], [0], [1]], {
    steps: { 0: { children: [], late_children: true }, 1: { children: [], late_children: true }, 2: later, 3: later, 4: later },
  });
  const created = await host.create(1);
  const plan = { steps: [2], workers: [], edges: [edge(0, 2), edge(1, 2)] };
  const both = await host.tick(created.claims, { plan });
  expect(both.claims.map((c) => c.templateOrdinal)).toEqual([2]);
});

test("a step made at run time that completes while a plan gives it a new child", async () => {
  // 0 decides: creates 1 (running) and 2 (second decision, running); 2 finds 1 and makes 3 behind it.
  const [one, two] = await Promise.all([1, 2].map(() => openPumpConnection(database.url)));
  if (one === undefined || two === undefined) throw new Error("no connections");
  const host = await new SqlHost(one).register([[], [0], [0], [1, 2]], {
    steps: { 0: { children: [], late_children: true }, 1: later, 2: later, 3: later },
  });
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const made = await host.tick(created.claims, {
    plan: { steps: [1, 2], workers: [], edges: [edge(0, 1), edge(0, 2)] },
  });
  const [running, decision] = made.claims;
  const other = new SqlHost(two);
  other.templateId = host.templateId;
  other.namespaceId = host.namespaceId;
  await other.join(["work"]);
  await one.query("begin");
  await host.tick([decision as never], { plan: { steps: [1, 3], workers: [], edges: [edge(1, 3), edge(2, 3)] } });
  const waiting = other.tick([running as never]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await one.query("commit");
  const done = await waiting;
  console.log(await host.states(taskId), done.claims);
  await Promise.all([one.close(), two.close()]);
  expect(done.claims.map((c) => c.templateOrdinal)).toEqual([3]);
});
