import { defineHandler, PermanentError } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JsonValue } from "../../../core/src/lib/json-number.js";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";

/** A decision or an analyzer whose handler is broken: an operator gives its result, and the task goes on as if it had. */
const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine;

const APPROVAL = yamlTemplate(`
name: approval
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: start, handler: { callable: echo } }
  - { name: route, type: decision, handler: { callable: broken }, dependencies: [start] }
  - { name: auto, handler: { callable: echo }, dependencies: [route] }
  - { name: manual, handler: { callable: echo }, dependencies: [route] }
  - { name: finish, type: deferred_convergence, handler: { callable: echo }, dependencies: [auto, manual] }
`);

const BATCH = yamlTemplate(`
name: batch
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: analyze, type: batchable, handler: { callable: broken } }
  - name: work
    type: batch_worker
    handler: { callable: echo }
    dependencies: [analyze]
    batch_config:
      { batch_size: 10, parallelism: 5, cursor_field: id, worker_template: work, failure_strategy: continue_on_failure }
  - { name: sum, type: deferred_convergence, handler: { callable: echo }, dependencies: [work] }
`);

const CHECKED = yamlTemplate(`
name: checked
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: weigh
    description: Puts it on the scales
    handler: { callable: broken }
    result_schema: { type: object, required: [grams], properties: { grams: { type: integer, minimum: 1 } } }
`);

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {},
    parsedTemplates: [APPROVAL, BATCH, CHECKED],
    handlers: {
      echo: defineHandler("echo", {}, async ({ context }) => ({
        saw: context.getDependencyResultKeys().sort(),
      })),
      broken: defineHandler("broken", {}, async () => {
        throw new PermanentError("the rules engine is down");
      }),
    },
  });
});

afterAll(async () => {
  await host?.engine.stop();
  await assertIntegrity(database.pool);
});

async function blocked(name: string) {
  const { taskUuid, state } = await host.run(name);
  expect(state).toBe("blocked_by_failures");
  return taskUuid;
}

async function complete(taskUuid: string, step: string, result: JsonValue) {
  const { rows } = await database.pool.query<{ id: string }>(
    "select workflow_step_uuid as id from tasker.workflow_steps where task_uuid = $1 and name = $2",
    [taskUuid, step],
  );
  return await host.engine.completeStep(taskUuid, rows[0]?.id as string, { result });
}

async function ended(taskUuid: string) {
  const state = await host.engine.waitForTask(taskUuid, AbortSignal.timeout(20_000));
  const steps = await host.steps(taskUuid);
  return { state, steps: steps.map(({ name, state }) => `${name} ${state}`) };
}

const branches = (...names: string[]) => ({
  decision_point_outcome: { type: "create_steps", step_names: names },
});
const batches = (...ids: string[]) => ({
  batch_processing_outcome: {
    type: "create_batches",
    worker_template_name: "work",
    worker_count: ids.length,
    total_items: ids.length,
    cursor_configs: ids.map((id, i) => ({
      batch_id: id,
      start_cursor: i,
      end_cursor: i + 1,
      batch_size: 1,
    })),
  },
});

test("a decision completed by hand creates the branch it names, and the convergence joins it alone", async () => {
  const taskUuid = await blocked("approval");
  const acted = await complete(taskUuid, "route", { ...branches("manual"), why: "boss says so" });
  expect(acted).toMatchObject({
    toState: "complete",
    taskState: "steps_in_process",
    queuedSteps: 1,
    warning: null,
  });
  expect(await ended(taskUuid)).toEqual({
    state: "complete",
    steps: ["start complete", "route complete", "manual complete", "finish complete"],
  });
  const finish = (await host.steps(taskUuid)).find(({ name }) => name === "finish");
  expect(finish?.results?.result).toEqual({ saw: ["manual", "route", "start"] });
});

test("no branches by hand: the task is complete", async () => {
  const taskUuid = await blocked("approval");
  const acted = await complete(taskUuid, "route", {
    decision_point_outcome: { type: "no_branches" },
  });
  expect(acted).toMatchObject({ taskState: "complete", queuedSteps: 0, warning: null });
  expect((await ended(taskUuid)).steps).toEqual(["start complete", "route complete"]);
});

test("a plan that cannot be is refused with its reason, and nothing has changed", async () => {
  const taskUuid = await blocked("approval");
  await expect(complete(taskUuid, "route", branches("manua"))).rejects.toMatchObject({
    code: "PLAN_IMPOSSIBLE",
    message: expect.stringMatching(
      /^Step `route` was not completed: .*requests `manua`, which is no step of approval 1\.0\.0; did it mean `manual`\?$/,
    ),
  });
  expect(await ended(taskUuid)).toEqual({
    state: "blocked_by_failures",
    steps: ["start complete", "route error"],
  });
  const { rows } = await database.pool.query(
    `select action from tasker_core.operator_actions a join tasker.tasks t on t.task_id = a.task_id
     where t.task_uuid = $1`,
    [taskUuid],
  );
  expect(rows).toEqual([]);
});

test("an outcome that says nothing usable completes the step and says so", async () => {
  const taskUuid = await blocked("approval");
  const acted = await complete(taskUuid, "route", { decision_point_outcome: { type: "maybe" } });
  expect(acted.taskState).toBe("complete");
  expect(acted.warning).toMatch(/no_branches or create_steps, got "maybe"/);
});

test("an analyzer completed by hand makes its workers, once, however often it is completed", async () => {
  const taskUuid = await blocked("batch");
  expect(await complete(taskUuid, "analyze", batches("001", "002"))).toMatchObject({
    queuedSteps: 2,
  });
  const expected = {
    state: "complete",
    steps: ["analyze complete", "sum complete", "work_001 complete", "work_002 complete"],
  };
  expect(await ended(taskUuid)).toEqual(expected);
  // Final: the result is replaced, the task stays as it is.
  expect(await complete(taskUuid, "analyze", batches("003"))).toMatchObject({
    fromState: "complete",
    taskState: "complete",
    queuedSteps: 0,
  });
  expect(await ended(taskUuid)).toEqual(expected);
});

test("while the task still runs, completing the analyzer again makes no second batch", async () => {
  const taskUuid = await blocked("batch");
  await complete(taskUuid, "analyze", batches("001"));
  await complete(taskUuid, "analyze", batches("002"));
  expect((await ended(taskUuid)).steps).toEqual([
    "analyze complete",
    "sum complete",
    "work_001 complete",
  ]);
});

test("two workers of one name are refused", async () => {
  const taskUuid = await blocked("batch");
  await expect(complete(taskUuid, "analyze", batches("001", "001"))).rejects.toMatchObject({
    code: "PLAN_IMPOSSIBLE",
  });
});

test("a result given by hand must match result_schema; what fits is in the trail, with who gave what (DESIGN 8.9)", async () => {
  const { taskUuid, state } = await host.run("checked");
  expect(state).toBe("blocked_by_failures");
  const { rows } = await database.pool.query<{ id: string; priority: number; description: string }>(
    `select s.workflow_step_uuid as id, s.priority, n.description from tasker.workflow_steps s
     join tasker.named_steps n using (named_step_uuid) where s.task_uuid = $1`,
    [taskUuid],
  );
  const [{ id: stepUuid = "", ...about } = {}] = rows;
  expect(about).toEqual({ priority: 0, description: "Puts it on the scales" });
  await expect(
    host.engine.completeStep(taskUuid, stepUuid, { result: { grams: 0 } }),
  ).rejects.toMatchObject({
    code: "RESULT_INVALID",
    message: expect.stringMatching(/`weigh`.*grams.*>= 1/),
  });
  expect((await host.steps(taskUuid))[0]?.state).toBe("error");

  await host.engine.completeStep(taskUuid, stepUuid, { result: { grams: 12 } });
  const trail = await database.pool.query<{ event: string }>(
    `select metadata ->> 'event' as event from tasker.workflow_step_transitions
     where workflow_step_uuid = $1 order by sort_key`,
    [stepUuid],
  );
  const events = trail.rows.map(({ event }) => JSON.parse(event));
  const dataOf = (type: string) => events.filter((one) => one.type === type).map((one) => one.data);
  const [failure] = dataOf("EnqueueAsErrorForOrchestration");
  expect(failure).toMatchObject({
    success: false,
    error: { message: "the rules engine is down" },
  });
  expect(dataOf("CompleteManually")).toMatchObject([{ success: true, result: { grams: 12 } }]);
  expect(dataOf("Fail")).toEqual([undefined]);
});
