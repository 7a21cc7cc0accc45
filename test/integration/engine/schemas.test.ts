import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";

/** DESIGN section 8, gap 9: what upstream only declares is enforced, and lenient under the compatibility profile. */
const database = useTestDatabase({ maxConnections: 3 });
const CHECKED = yamlTemplate(`
name: checked
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
input_schema:
  type: object
  required: [order]
  properties:
    order:
      type: object
      required: [total]
      properties: { total: { type: number, minimum: 0 } }
steps:
  - name: only
    handler: { callable: total }
    retry: { max_attempts: 3, backoff_base_ms: 100 }
    result_schema: { type: object, required: [total], properties: { total: { type: integer } } }
`);
const handlers = {
  total: defineHandler("total", { inputs: { order: "order" } }, async ({ order }) => ({
    total: (order as { total?: number } | undefined)?.total ?? "none",
  })),
};
let strict: TestEngine;
let lenient: TestEngine;

beforeAll(async () => {
  const options = {
    databaseUrl: database.url,
    templates: {},
    parsedTemplates: [CHECKED],
    handlers,
  };
  strict = await startTestEngine(options);
  lenient = await startTestEngine({
    ...options,
    configure: (config) => {
      config.compatibility.profile = "tasker-core";
    },
  });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await Promise.all([strict?.engine.stop(), lenient?.engine.stop()]);
});

test("a context that does not match the input_schema is refused with the paths", async () => {
  const create = strict.create("checked", { order: { total: -3 } });
  await expect(create).rejects.toMatchObject({ code: "TASK_REQUEST_INVALID" });
  await expect(create).rejects.toThrow("/order/total must be >= 0");
  await expect(strict.create("checked", {})).rejects.toThrow(
    "/ must have required property 'order'",
  );
});

test("a result that does not match the result_schema fails its step for good", async () => {
  const { state, steps } = await strict.run("checked", { order: { total: 1.5 } });
  expect(state).toBe("blocked_by_failures");
  expect(steps[0]).toMatchObject({
    state: "error",
    attempts: 1,
    results: { error: { error_type: "invalid_result", retryable: false } },
  });
  expect(steps[0]?.results?.error?.message).toContain("/total must be integer");
});

test("what matches passes", async () => {
  const { state } = await strict.run("checked", { order: { total: 3 } });
  expect(state).toBe("complete");
});

test("a schema that is no schema is refused when the template is registered", async () => {
  const broken = yamlTemplate(
    JSON.stringify({
      name: "broken",
      namespace_name: "tests",
      version: "1.0.0",
      input_schema: { type: "objekt" },
      steps: [],
    }),
  );
  await expect(strict.engine.register(broken)).rejects.toMatchObject({ code: "TEMPLATE_INVALID" });
  const { rows } = await database.pool.query(
    "select from tasker.named_tasks where name = 'broken'",
  );
  expect(rows).toHaveLength(0);
});

test("under the compatibility profile a mismatching context creates the task", async () => {
  const task = await lenient.create("checked", {});
  expect(task.taskUuid).toMatch(/-7/);
  await lenient.engine.waitForTask(task, AbortSignal.timeout(20_000));
});
