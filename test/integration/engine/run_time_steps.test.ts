import {
  Decision,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
} from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";

/** Steps that results call into being: decisions with their convergence, and batches with theirs. */
const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine;

const APPROVAL = yamlTemplate(`
name: approval
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: validate, handler: { callable: validate } }
  - { name: route, type: decision, handler: { callable: route }, dependencies: [validate] }
  - { name: auto_approve, handler: { callable: approve }, dependencies: [route] }
  - { name: manager_approval, handler: { callable: approve }, dependencies: [route] }
  - { name: finance_review, handler: { callable: approve }, dependencies: [route] }
  - name: finalize
    type: deferred_convergence
    handler: { callable: finalize }
    dependencies: [auto_approve, manager_approval, finance_review]
`);

const NESTED = yamlTemplate(`
name: nested
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: start, handler: { callable: validate } }
  - { name: outer, type: decision, handler: { callable: outer }, dependencies: [start] }
  - { name: work, handler: { callable: approve }, dependencies: [outer] }
  - { name: inner, type: decision, handler: { callable: inner }, dependencies: [work] }
  - { name: last, handler: { callable: approve }, dependencies: [inner] }
`);

const BATCH = yamlTemplate(`
name: batch
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: analyze
    type: batchable
    handler: { callable: analyze, initialization: { worker_template_name: process } }
  - name: process
    type: batch_worker
    handler: { callable: process, initialization: { factor: 2 } }
    dependencies: [analyze]
    retry: { max_attempts: 1 }
    batch_config:
      { batch_size: 10, parallelism: 5, cursor_field: id, worker_template: process, failure_strategy: continue_on_failure }
  - name: sum
    type: deferred_convergence
    handler: { callable: sum }
    dependencies: [process]
  - { name: report, handler: { callable: report }, dependencies: [sum] }
`);

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {},
    parsedTemplates: [APPROVAL, NESTED, BATCH],
    handlers: {
      validate: defineHandler("validate", {}, async () => ({ ok: true })),
      route: defineDecisionHandler(
        "route",
        { inputs: { amount: "amount" } },
        async ({ amount }) => {
          const value = Number(amount);
          if (value < 0) return Decision.skip("nothing to approve");
          if (value > 1_000_000) return Decision.route(["no_such_step"]);
          if (value < 1_000) return Decision.route(["auto_approve"]);
          if (value < 5_000) return Decision.route(["manager_approval"]);
          return Decision.route(["manager_approval", "finance_review"]);
        },
      ),
      approve: defineHandler("approve", {}, async ({ context }) => ({
        by: context.event.workflowStep.name,
      })),
      finalize: defineHandler("finalize", {}, async ({ context }) => ({
        approvals: context
          .getDependencyResultKeys()
          .filter((name) => name.includes("appro") || name.includes("review")),
      })),
      outer: defineDecisionHandler("outer", {}, async () => Decision.route(["work"])),
      inner: defineDecisionHandler("inner", {}, async () => Decision.route(["last"])),
      analyze: defineBatchAnalyzer(
        "analyze",
        { workerTemplate: "process", inputs: { items: "items" } },
        async ({ items }) => ({ totalItems: Number(items), batchSize: 10 }),
      ),
      process: defineBatchWorker(
        "process",
        { inputs: { fail: "fail" } },
        async ({ batchContext, context, fail }) => {
          const { startCursor, endCursor, batchId } = batchContext as NonNullable<
            typeof batchContext
          >;
          if (fail === batchId) throw new Error(`batch ${batchId} is broken`);
          const cursor = context.stepInputs as { factor: number };
          return { count: (Number(endCursor) - Number(startCursor)) * cursor.factor };
        },
      ),
      sum: defineHandler("sum", {}, async ({ context }) => {
        const parts = context
          .getDependencyResultKeys()
          .filter((name) => name.startsWith("process_"));
        const counts = parts.map(
          (name) => (context.getDependencyResult(name) as { count?: number }).count ?? 0,
        );
        return { workers: parts.length, total: counts.reduce((a, b) => a + b, 0) };
      }),
      report: defineHandler("report", { depends: { sum: "sum" } }, async ({ sum }) => ({
        report: sum,
      })),
    },
  });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

test.each([
  [500, ["auto_approve"]],
  [3_000, ["manager_approval"]],
  [9_000, ["manager_approval", "finance_review"]],
])(
  "an amount of %i is approved by %j, and the convergence waits for exactly them",
  async (amount, approvers) => {
    const { state, steps } = await host.run("approval", { amount });
    expect(state).toBe("complete");
    expect(steps.map((step) => step.name)).toEqual(["validate", "route", ...approvers, "finalize"]);
    expect(steps.at(-1)?.results?.result).toEqual({ approvals: approvers });
  },
);

test("a decision that skips completes the task with what exists", async () => {
  const { state, steps } = await host.run("approval", { amount: -1 });
  expect([state, steps.length]).toEqual(["complete", 2]);
});

test("a decision for a step that does not exist fails visibly", async () => {
  const { state, steps } = await host.run("approval", { amount: 2_000_000 });
  expect(state).toBe("blocked_by_failures");
  expect(steps[1]).toMatchObject({
    state: "error",
    results: { error: { error_type: "invalid_plan" } },
  });
  expect(steps[1]?.results?.error?.message).toContain("no_such_step");
});

test("decisions nest", async () => {
  const { state, steps } = await host.run("nested");
  expect(state).toBe("complete");
  expect(steps.map((step) => step.name)).toEqual(["start", "outer", "work", "inner", "last"]);
});

test("a batch covers every item once, converges, and the steps behind it run", async () => {
  const { state, steps } = await host.run("batch", { items: 95 });
  expect(state).toBe("complete");
  expect(steps.filter((step) => step.name.startsWith("process_"))).toHaveLength(10);
  expect(steps.find((step) => step.name === "report")?.results?.result).toEqual({
    report: { workers: 10, total: 190 },
  });
});

test("under continue_on_failure the convergence runs with the failures visible to it", async () => {
  const { state, steps } = await host.run("batch", { items: 30, fail: "batch_001" });
  expect(state).toBe("complete");
  expect(steps.find((step) => step.name === "process_batch_001")?.state).toBe("error");
  expect(steps.find((step) => step.name === "sum")?.results?.result).toEqual({
    workers: 3,
    total: 40,
  });
});

test("an empty batch is nothing to do: the task completes with the analyzer", async () => {
  const { state, steps } = await host.run("batch", { items: 0 });
  expect([state, steps.length]).toEqual(["complete", 1]);
});

test("the contract's edges tell what was created by what", async () => {
  const task = await host.create("batch", { items: 40 });
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
  const edges = await database.pool.query<{ name: string; n: bigint }>(
    `select e.name, count(*) as n from tasker.workflow_step_edges e
     join tasker.workflow_steps s on s.workflow_step_uuid = e.to_step_uuid
     where s.task_uuid = $1 group by e.name order by e.name`,
    [task.taskUuid],
  );
  expect(edges.rows).toEqual([
    { name: "batch_dependency", n: 4n },
    { name: "provides", n: 1n },
    { name: "worker_to_convergence", n: 4n },
  ]);
});
