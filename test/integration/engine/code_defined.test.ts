import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";

/** Task templates that Ruby handler processes define in code: the host registers them like files. */
describe("templates defined in Ruby", () => {
  const database = useTestDatabase({ maxConnections: 3 });
  let host: TestEngine;

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      languages: ["ruby"],
      handlerFolders: { ruby: fileURLToPath(new URL("./handlers/code_defined", import.meta.url)) },
    });
  });
  afterAll(async () => {
    await assertIntegrity(database.pool);
    await host?.engine.stop();
  });

  test("a task runs with dependencies, a retry and results", async () => {
    const { state, steps } = await host.run("code_order", { total: 7 });
    expect(state).toBe("complete");
    expect(steps.map(({ name, attempts }) => [name, attempts])).toEqual([
      ["validate", 1],
      ["charge", 2],
      ["ship", 1],
    ]);
    expect(steps.at(-1)?.results?.result).toEqual({ shipped: 7 });
  });

  test("an error that says nothing about retries is permanent", async () => {
    const { state, steps } = await host.run("code_order", { total: 1001 });
    expect(state).toBe("blocked_by_failures");
    expect(steps.find((step) => step.name === "validate")?.attempts).toBe(1);
  });

  test("the schema is enforced when a task is created", async () => {
    await expect(host.create("code_order", { total: "much" })).rejects.toThrow(/total/);
  });

  test("versions live side by side", async () => {
    const task = await host.engine.createTask({
      namespace: "tests",
      name: "code_order",
      version: "1.1.0",
      context: { total: 1 },
    });
    expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
    expect((await host.steps(task.taskUuid)).map(({ name }) => name)).toEqual(["validate"]);
  });

  test("a template that is wrong is left out", async () => {
    const registered = host.engine.templates.registered().map(({ name }) => name);
    expect(registered).toContain("code_order");
    expect(registered).not.toContain("code_broken");
  });
});
