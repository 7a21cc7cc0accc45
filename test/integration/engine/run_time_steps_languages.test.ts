import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";

/** The same decisions and batches with handlers in Python and Ruby, in functional and in class form. */
describe.each(["python", "ruby"] as const)("handlers in %s", (language) => {
  const database = useTestDatabase({ maxConnections: 3 });
  let host: TestEngine;

  beforeAll(async () => {
    const forms = ["", "_class"];
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: forms.flatMap((form) => [approval(language, form), batch(language, form)]),
      languages: [language],
      handlerFolders: {
        [language]: fileURLToPath(new URL(`./handlers/${language}`, import.meta.url)),
      },
    });
    expect(host.engine.worker.unservedCallables()).toEqual([]);
  });
  afterAll(async () => {
    await assertIntegrity(database.pool);
    await host?.engine.stop();
  });

  test.each([
    ["", 500, ["auto_approve"]],
    ["_class", 500, ["auto_approve"]],
    ["", 9_000, ["finance_review", "manager_approval"]],
    ["_class", 9_000, ["finance_review", "manager_approval"]],
    ["", -1, []],
    ["_class", -1, []],
  ])("approval%s of %i is routed to %j", async (form, amount, approvals) => {
    const { state, steps } = await host.run(`approval${form}`, { amount });
    expect(state).toBe("complete");
    if (approvals.length === 0) expect(steps.map((step) => step.name)).toEqual(["before", "route"]);
    else expect(steps.at(-1)?.results?.result).toEqual({ approvals });
  });

  test.each([
    ["", 95, 10, 190],
    ["_class", 95, 10, 190],
    ["", 0, 1, 0],
    ["_class", 0, 1, 0],
  ])("batch%s over %i items: %i workers, total %i", async (form, items, workers, total) => {
    const { state, steps } = await host.run(`batch${form}`, { items });
    expect(state).toBe("complete");
    expect(steps.find((step) => step.name === "sum")?.results?.result).toEqual({ workers, total });
  });
});

/** Ruby's class handlers go by their constant, Python's by their handler_name. */
function callable(language: string, name: "route" | "analyze", form: string): string {
  if (form === "") return `${language}.${name}`;
  if (language === "python") return `python.${name}_class`;
  return name === "route" ? "RouteClassHandler" : "AnalyzeClassHandler";
}

function approval(language: string, form: string) {
  return yamlTemplate(`
name: approval${form}
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - { name: before, handler: { callable: ${language}.approve } }
  - { name: route, type: decision, handler: { callable: ${callable(language, "route", form)} }, dependencies: [before] }
  - { name: auto_approve, handler: { callable: ${language}.approve }, dependencies: [route] }
  - { name: manager_approval, handler: { callable: ${language}.approve }, dependencies: [route] }
  - { name: finance_review, handler: { callable: ${language}.approve }, dependencies: [route] }
  - name: finalize
    type: deferred_convergence
    handler: { callable: ${language}.finalize }
    dependencies: [auto_approve, manager_approval, finance_review]
`);
}

function batch(language: string, form: string) {
  return yamlTemplate(`
name: batch${form}
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
  - name: analyze
    type: batchable
    handler: { callable: ${callable(language, "analyze", form)}, initialization: { worker_template_name: process } }
  - name: process
    type: batch_worker
    handler: { callable: ${language}.process, initialization: { factor: 2 } }
    dependencies: [analyze]
    batch_config:
      { batch_size: 10, parallelism: 5, cursor_field: id, worker_template: process, failure_strategy: fail_fast }
  - { name: sum, type: deferred_convergence, handler: { callable: ${language}.sum }, dependencies: [process] }
`);
}
