import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, type TestStep } from "../../support/test-engine.js";

/**
 * Two hosts on one database, each with handlers that the other lacks: every task crosses between them. Polling is made
 * slow, so that only the wake-ups can be what moves the steps.
 */
const database = useTestDatabase({ maxConnections: 3 });
const STEPS: TestStep[] = [
  { name: "one", callable: "here.one" },
  { name: "two", callable: "there.two", dependencies: ["one"] },
  { name: "three", callable: "here.three", dependencies: ["two"] },
];
const SLOW_POLL_MS = 20_000;
let here: TestEngine;
let there: TestEngine;

const passOn = (name: string) => defineHandler(name, {}, async () => ({ by: name }));

async function host(names: readonly string[]): Promise<TestEngine> {
  return await startTestEngine({
    databaseUrl: database.url,
    templates: { crossing: STEPS },
    handlers: Object.fromEntries(names.map((name) => [name, passOn(name)])),
    configure: (config) => {
      config.pump.poll_interval_ms = SLOW_POLL_MS;
      config.lease.handler_wait_seconds = 60;
    },
  });
}

beforeAll(async () => {
  here = await host(["here.one", "here.three"]);
  there = await host(["there.two"]);
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await Promise.all([here?.engine.stop(), there?.engine.stop()]);
});

test("a task whose steps live on two hosts crosses by wake-ups, not by polling", async () => {
  const { state, steps } = await here.run("crossing", {}, SLOW_POLL_MS / 2);
  expect(state).toBe("complete");
  expect(steps.map((step) => step.results?.result)).toEqual([
    { by: "here.one" },
    { by: "there.two" },
    { by: "here.three" },
  ]);
  const { rows } = await database.pool.query<{ workers: bigint }>(
    "select count(distinct worker_id) as workers from tasker_core.step_results",
  );
  expect(rows[0]?.workers).toBe(2n);
});

test("a hundred of them, too", async () => {
  const tasks = await Promise.all(Array.from({ length: 100 }, () => here.create("crossing")));
  const states = await Promise.all(
    tasks.map((task) => here.engine.waitForTask(task, AbortSignal.timeout(SLOW_POLL_MS - 2_000))),
  );
  expect(new Set(states)).toEqual(new Set(["complete"]));
});
