import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** DATABASE section 3: tasks of higher priority go first, 6 : 3 : 1, and nothing starves. */
const database = useTestDatabase({ maxConnections: 4 });
const ran: string[] = [];
const waiting: (() => void)[] = [];
let isGateOpen = false;
let host: TestEngine;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      gate: [{ name: "gate", callable: "gate" }],
      pair: [
        { name: "first", callable: "note" },
        { name: "second", callable: "note", dependencies: ["first"] },
      ],
    },
    handlers: {
      gate: defineHandler("gate", {}, async () => {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (isGateOpen) resolve();
        });
        return { ok: true };
      }),
      note: defineHandler("note", { inputs: { of: "of" } }, async ({ of }) => {
        ran.push(String(of));
        // Slow enough for the queue to be what decides.
        await new Promise((resolve) => setTimeout(resolve, 2));
        return { of };
      }),
    },
    configure: (config) => {
      config.worker.typescript.max_concurrent = 2;
      config.pump.max_prefetch_per_slot = 0;
    },
  });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

async function create(name: string, of: string, priority: number) {
  const task = { namespace: "tests", name, version: "1.0.0", context: { of }, priority };
  return await host.engine.createTask(task);
}

test("of a backlog of all three, the higher ones are done sooner and the lowest keep coming", async () => {
  const gates = await Promise.all([1, 2].map(() => create("gate", "gate", 0)));
  await waitFor(async () => waiting.length === 2, { timeoutMs: 10_000 });
  // Low ones first: who came first is not who goes first.
  const tasks = [];
  for (const [of, priority] of [
    ["lo", -1],
    ["normal", 0],
    ["hi", 50],
  ] as const)
    for (let i = 0; i < 60; i += 1) tasks.push(await create("pair", of, priority));
  expect(ran).toEqual([]);
  isGateOpen = true;
  for (const open of waiting) open();
  const states = await Promise.all(
    [...gates, ...tasks].map((task) => host.engine.waitForTask(task, AbortSignal.timeout(60_000))),
  );
  expect(new Set(states)).toEqual(new Set(["complete"]));
  expect(ran).toHaveLength(360);

  const count = (of: string, upTo: number) => ran.slice(0, upTo).filter((x) => x === of).length;
  const shares = Object.fromEntries(["hi", "normal", "lo"].map((of) => [of, count(of, 100)]));
  // 60 : 30 : 10 by the queues; steps that follow in the same task are handed over, a bounded share.
  expect(shares["hi"]).toBeGreaterThanOrEqual(45);
  expect(shares["hi"]).toBeLessThanOrEqual(85);
  expect(shares["normal"]).toBeGreaterThanOrEqual(10);
  expect(shares["lo"]).toBeGreaterThanOrEqual(4);
  expect(shares["lo"]).toBeLessThanOrEqual(25);
});
