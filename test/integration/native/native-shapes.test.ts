import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NativeBuilds, nativeObstacle, rustLibrary } from "../../support/native.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { GRAPHS } from "../shapes/tables/graphs.js";

const WORDS = ["seed", "add", "join"];
const graphs = GRAPHS.filter(({ steps }) =>
  [...steps.matchAll(/\$(\w+)/g)].every(([, word = ""]) => WORDS.includes(word)),
);

const BATCH = `
  - name: analyze
    type: batchable
    handler: { callable: $analyze, initialization: { worker_template_name: process } }
  - name: process
    type: batch_worker
    handler: { callable: $process }
    dependencies: [analyze]
    batch_config:
      { batch_size: 30, parallelism: 2, cursor_field: id, worker_template: process, failure_strategy: fail_fast }
  - { name: total, type: deferred_convergence, handler: { callable: $count }, dependencies: [process] }`;

const template = (name: string, language: string, steps: string) => `
name: ${name}_${language}
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
${steps.replace(/\$(\w+)/g, `${language}.$1`)}`;

const rust = rustLibrary();
const LANGUAGES = [
  { language: "c", why: nativeObstacle() },
  { language: "rust", why: typeof rust === "string" ? rust : null },
];

/** The language-neutral shapes with every step in one native language, in the worker and isolated. */
describe.each(LANGUAGES)("shapes in $language", ({ language, why }) => {
  describe.skipIf(why !== null).each([false, true])("isolated: %s", (isolated) => {
    const database = useTestDatabase({ maxConnections: 2 });
    const builds = new NativeBuilds();
    let host: TestEngine;
    beforeAll(async () => {
      const path = language === "c" ? builds.c("examples/native-c/full.c") : pathOf(rust);
      host = await startTestEngine({
        databaseUrl: database.url,
        templates: {
          flaky: [
            {
              name: "try",
              callable: "rust.flaky",
              retry: { max_attempts: 3, backoff: "none" },
            },
          ],
          paging: [{ name: "page", callable: "rust.page" }],
          panicking: [{ name: "only", callable: "rust.panic" }],
        },
        parsedTemplates: [
          ...graphs.map(({ name, steps }) => template(name, language, steps)),
          template("batch", language, BATCH),
        ].map(yamlTemplate),
        configure: (config) => {
          config.worker.native = [
            {
              ...{ name: language, path, sha256: "", slots: 4, isolated, processes: 1 },
              ...{ callables: [], settings: {} },
            },
          ];
        },
      });
    });
    afterAll(async () => {
      await host?.engine.stop();
      builds.remove();
    });

    for (const shape of graphs) {
      for (const row of shape.cases) {
        test(`${shape.name}: ${row.title}`, async () => {
          const files = { rows: "", oneRow: "", fewRows: "", noRows: "" };
          const { state, steps } = await host.run(`${shape.name}_${language}`, row.input(files));
          const expected = row.steps(() => ({ language: "typescript", form: "class" }));
          expect(state).toBe(row.state);
          expect(ends(steps)).toEqual(
            Object.fromEntries(
              Object.entries(expected).map(([name, end]) => [
                name,
                { state: end.state, attempts: end.attempts, result: end.result },
              ]),
            ),
          );
        });
      }
    }

    test("batch: every row in one worker, and the total behind them", async () => {
      const { state, steps } = await host.run(`batch_${language}`, { rows: 101 });
      const field = language === "c" ? "value" : "rows";
      expect(state).toBe("complete");
      const workers = steps.filter(({ name }) => /_\d{3}$/.test(name));
      expect(workers).toHaveLength(language === "c" ? 2 : 4);
      expect(ends(steps)["total"]).toMatchObject({ state: "complete", result: { [field]: 101 } });
    });

    const testRust = language === "rust" ? test : noTest;
    testRust("retries, checkpoints and panics", async () => {
      const [flaky, paging, panicking] = await Promise.all([
        host.run("flaky"),
        host.run("paging"),
        host.run("panicking"),
      ]);
      expect(ends(flaky.steps)["try"]).toEqual({
        state: "complete",
        attempts: 3,
        result: { attempt: 3 },
      });
      expect(ends(paging.steps)["page"]).toEqual({
        state: "complete",
        attempts: 1,
        result: { pages: 3, before: { last: 3 } },
      });
      expect(panicking.steps[0]).toMatchObject({
        state: "error",
        results: { error: { message: expect.stringContaining("there is nothing here") } },
      });
    });
  });
});

/** The example in C has no such handlers. */
function noTest(_name: string, _body: () => Promise<void>): void {}

function pathOf(library: ReturnType<typeof rustLibrary>): string {
  if (typeof library === "string") throw new Error(library);
  return library.path;
}

function ends(steps: Awaited<ReturnType<TestEngine["steps"]>>) {
  return Object.fromEntries(
    steps.map(({ name, state, attempts, results }) => [
      name,
      { state, attempts, result: results?.result ?? null },
    ]),
  );
}
