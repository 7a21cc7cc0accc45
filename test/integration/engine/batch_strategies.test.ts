import { defineBatchAnalyzer, defineBatchWorker, defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** Gap 9: `failure_strategy` of a batch acts. */
const batch = (strategy: string) =>
  yamlTemplate(`
name: ${strategy}
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: analyze
    type: batchable
    handler: { callable: analyze, initialization: { worker_template_name: process } }
  - name: process
    type: batch_worker
    handler: { callable: process }
    dependencies: [analyze]
    retry: { max_attempts: 1 }
    batch_config:
      { batch_size: 10, parallelism: 5, cursor_field: id, worker_template: process, failure_strategy: ${strategy} }
  - name: sum
    type: deferred_convergence
    handler: { callable: sum }
    dependencies: [process]
`);

const database = useTestDatabase({ maxConnections: 4 });
const started: string[] = [];
const told: string[] = [];
let host: TestEngine;

const OPTIONS = {
  parsedTemplates: [batch("fail_fast"), batch("isolate")],
  handlers: {
    analyze: defineBatchAnalyzer(
      "analyze",
      { workerTemplate: "process", inputs: { items: "items" } },
      async ({ items }) => ({ totalItems: Number(items), batchSize: 10 }),
    ),
    // The failing worker fails once its siblings run, and those end only when they are told.
    process: defineBatchWorker(
      "process",
      { inputs: { fail: "fail", wait: "wait" } },
      async ({ batchContext, context, fail, wait }) => {
        const batchId = batchContext?.batchId ?? "none";
        started.push(`${context.taskUuid}/${batchId}`);
        if (batchId === fail) {
          await waitFor(() => runningIn(context.taskUuid) > Number(wait), { timeoutMs: 15_000 });
          throw new Error(`batch ${batchId} is broken`);
        }
        if (Number(wait) === 0) return { batchId };
        await new Promise<void>((resolve) => {
          context.signal.addEventListener("abort", () => {
            told.push(`${context.taskUuid}/${batchId}`);
            resolve();
          });
        });
        return { batchId, was: "too late" };
      },
    ),
    sum: defineHandler("sum", {}, async ({ context }) => ({
      parts: context.getDependencyResultKeys().filter((name) => name.startsWith("process_")).length,
    })),
  },
};

function runningIn(taskUuid: string): number {
  return started.filter((entry) => entry.startsWith(taskUuid)).length;
}

beforeAll(async () => {
  host = await startTestEngine({ ...OPTIONS, databaseUrl: database.url, templates: {} });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

const workerStates = async (taskUuid: string) =>
  (await host.steps(taskUuid))
    .filter(({ name }) => name.startsWith("process_"))
    .map(({ state }) => state);

test("fail_fast: the failure of one worker stops the others, and the task is blocked", async () => {
  const { taskUuid, state, steps } = await host.run("fail_fast", {
    items: 40,
    fail: "batch_001",
    wait: 3,
  });
  expect(state).toBe("blocked_by_failures");
  expect(await workerStates(taskUuid)).toEqual(["cancelled", "error", "cancelled", "cancelled"]);
  expect(steps.find(({ name }) => name === "sum")?.state).toBe("pending");
  await waitFor(() => told.filter((entry) => entry.startsWith(taskUuid)).length === 3, {
    timeoutMs: 15_000,
    describe: () => `the siblings to be told, were: ${told.join(", ")}`,
  });
});

test("fail_fast: a batch without failures converges", async () => {
  const { state, steps } = await host.run("fail_fast", { items: 40, fail: "none", wait: 0 });
  expect(state).toBe("complete");
  expect(steps.find(({ name }) => name === "sum")?.results?.result).toEqual({ parts: 4 });
});

test("isolate: the failed worker opens an investigation, and the rest converges", async () => {
  const { taskUuid, state, steps } = await host.run("isolate", {
    items: 40,
    fail: "batch_002",
    wait: 0,
  });
  expect(state).toBe("complete");
  expect(steps.find(({ name }) => name === "sum")?.results?.result).toEqual({ parts: 4 });
  const { rows } = await database.pool.query<{ reason: string; name: string }>(
    `select dlq_reason::text as reason, metadata #>> '{steps,0,name}' as name
     from tasker.tasks_dlq where task_uuid = $1`,
    [taskUuid],
  );
  expect(rows).toEqual([{ reason: "max_retries_exceeded", name: "process_batch_002" }]);
});
