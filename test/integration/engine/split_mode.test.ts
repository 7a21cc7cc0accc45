import { Decision, defineDecisionHandler, defineHandler, RetryableError } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import {
  startTestEngine,
  type TestEngine,
  type TestEngineOptions,
  yamlTemplate,
} from "../../support/test-engine.js";

/** Two servers and two workers on one database: tasks are created on a server, run on the workers, settled by a server. */
const database = useTestDatabase({ maxConnections: 3 });
let servers: TestEngine[] = [];
let workers: TestEngine[] = [];
let flaky = 0;

const DECIDING = yamlTemplate(`
name: deciding
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: first, handler: { callable: one } }
  - { name: route, type: decision, handler: { callable: route }, dependencies: [first] }
  - { name: yes, handler: { callable: one }, dependencies: [route] }
  - { name: no, handler: { callable: one }, dependencies: [route] }
`);

beforeAll(async () => {
  const options: TestEngineOptions = {
    databaseUrl: database.url,
    templates: {
      diamond: [
        { name: "one", callable: "one" },
        { name: "left", callable: "next", dependencies: ["one"] },
        { name: "right", callable: "next", dependencies: ["one"] },
        { name: "join", callable: "next", dependencies: ["left", "right"] },
      ],
      flaky: [
        { name: "only", callable: "flaky", retry: { backoff: "linear", backoff_base_ms: 100 } },
      ],
    },
    parsedTemplates: [DECIDING],
  };
  const handlers = {
    one: defineHandler("one", { inputs: { n: "n" } }, async ({ n }) => ({ n })),
    next: defineHandler("next", {}, async ({ context }) => ({
      from: context.getDependencyResultKeys().sort(),
    })),
    flaky: defineHandler("flaky", {}, async () => {
      flaky += 1;
      if (flaky === 1) throw new RetryableError("once more");
      return { runs: flaky };
    }),
    route: defineDecisionHandler("route", {}, async () => Decision.route(["yes"])),
  };
  servers = await Promise.all(
    [1, 2].map(() => startTestEngine({ ...options, handlers: {}, role: "server" })),
  );
  workers = await Promise.all(
    [1, 2].map(() => startTestEngine({ ...options, handlers, role: "worker" })),
  );
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await Promise.all([...workers, ...servers].map((host) => host.engine.stop()));
});

function serverAt(place: number): TestEngine {
  const server = servers[place];
  if (server === undefined) throw new Error(`there is no server ${place}`);
  return server;
}

test("tasks created on either server complete", async () => {
  const tasks = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const server = serverAt(i % 2);
      const task = await server.create("diamond", { n: i });
      return { server, task };
    }),
  );
  const states = await Promise.all(
    tasks.map(({ server, task }) => server.engine.waitForTask(task, AbortSignal.timeout(30_000))),
  );
  expect(new Set(states)).toEqual(new Set(["complete"]));
  const steps = await serverAt(0).steps(tasks[0]?.task.taskUuid ?? "");
  expect(steps.at(-1)?.results?.result).toEqual({ from: ["left", "one", "right"] });
});

test("the trail shows the results waiting for an orchestrator", async () => {
  const { taskUuid } = await serverAt(0).run("diamond", { n: 1 });
  const { rows } = await database.pool.query<{ to_state: string }>(
    `select t.to_state from tasker.workflow_step_transitions t
     join tasker.workflow_steps s on s.workflow_step_uuid = t.workflow_step_uuid
     where s.task_uuid = $1 and s.name = 'join' order by t.sort_key`,
    [taskUuid],
  );
  expect(rows.map((row) => row.to_state)).toEqual([
    "pending",
    "enqueued",
    "in_progress",
    "enqueued_for_orchestration",
    "complete",
  ]);
});

test("a retry is woken by a server and runs on a worker", async () => {
  const { state, steps } = await serverAt(0).run("flaky");
  expect([state, steps[0]?.attempts]).toEqual(["complete", 2]);
});

test("a decision's plan travels with its result", async () => {
  const { state, steps } = await serverAt(1).run("deciding");
  expect([state, steps.map((step) => step.name)]).toEqual(["complete", ["first", "route", "yes"]]);
});
