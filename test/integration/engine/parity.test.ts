import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonMembers } from "../../../core/src/lib/json-members.js";
import { JsonText } from "../../../core/src/lifecycle/task-request.js";
import {
  type Behaviour,
  canonical,
  expectationOf,
  LANGUAGES,
  type Language,
  readBehaviours,
} from "../../conformance/behaviours/table.js";
import { behaviours as typescript } from "../../conformance/behaviours/typescript/handlers.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** test/conformance/behaviours.json through the real engine, once per language. */
const { behaviours, elsewhere } = readBehaviours();
const folder = (language: Language) =>
  fileURLToPath(new URL(`../../conformance/behaviours/${language}`, import.meta.url));

interface Seen {
  readonly state: string;
  readonly attempts: number;
  /** JSON text. */
  readonly result: string | null;
  readonly error: Readonly<Record<string, unknown>> | null;
}

describe.each(LANGUAGES)("%s", (language) => {
  const database = useTestDatabase({ maxConnections: 4 });
  let host: TestEngine;

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: behaviours.map((behaviour, index) => templateOf(behaviour, index)),
      ...(language === "typescript"
        ? { handlers: typescript }
        : { languages: [language], handlerFolders: { [language]: folder(language) } }),
    });
  });
  afterAll(async () => {
    await host?.engine.stop();
  });

  test.concurrent.each(behaviours.map((behaviour, index) => ({ behaviour, index })))(
    "$behaviour.area: $behaviour.name",
    async ({ behaviour, index }) => {
      const expected = expectationOf(behaviour, language);
      if (expected === null) return; // a documented row: the language has no such thing
      const startedAt = performance.now();
      const copies = Array.from({ length: behaviour.copies ?? 1 }, () => seen(behaviour, index));
      for (const { state, attempts, result, error } of await Promise.all(copies)) {
        const shown = JSON.stringify({ state, attempts, result, error });
        if (expected.state !== undefined) expect(state, shown).toBe(expected.state);
        if (expected.attempts !== undefined) expect(attempts, shown).toBe(expected.attempts);
        if (expected.error !== undefined) expect(error, shown).toMatchObject(expected.error);
        if (expected.result === undefined) continue;
        expect(result, shown).not.toBeNull();
        if (behaviour.compare === "number") {
          expect(JSON.parse(result ?? "")).toEqual(JSON.parse(expected.result));
        } else {
          expect(canonical(result ?? ""), shown).toBe(canonical(expected.result));
        }
      }
      if (behaviour.within_ms === undefined) return;
      expect(performance.now() - startedAt).toBeLessThan(behaviour.within_ms);
    },
  );

  async function seen(behaviour: Behaviour, index: number): Promise<Seen> {
    const task = await host.create(`behaviour_${index}`, new JsonText(behaviour.context));
    if (behaviour.cancel === true) {
      const isRunning = async () =>
        (await host.steps(task.taskUuid)).some((step) => step.state === "in_progress");
      await waitFor(isRunning, { describe: "the step to run" });
      await host.engine.cancelTask(task.taskUuid);
    }
    await host.engine.waitForTask(task, AbortSignal.timeout(30_000));
    const { rows } = await host.engine.pool.query<{
      state: string;
      attempts: number;
      results: string | null;
    }>(
      "select state, attempts, results::text from tasker.workflow_steps where task_uuid = $1 and name = 'only'",
      [task.taskUuid],
    );
    const [row] = rows;
    if (row === undefined) throw new Error("The task has no step");
    const members = row.results === null ? null : jsonMembers(Buffer.from(row.results));
    const text = (name: string) => Buffer.from(members?.get(name) ?? "null").toString();
    return {
      ...row,
      result: row.state === "complete" ? text("result") : null,
      error: JSON.parse(text("error")) as Seen["error"],
    };
  }
});

test("what is tested elsewhere is", () => {
  const root = new URL("../../../", import.meta.url);
  for (const { tests } of elsewhere) {
    for (const path of tests)
      expect(readFileSync(new URL(path, root), "utf8").length).toBeGreaterThan(0);
  }
});

function templateOf(behaviour: Behaviour, index: number) {
  const { handler, initialization = {}, retry, timeout_seconds, after } = behaviour;
  const only = {
    name: "only",
    handler: { callable: handler, initialization },
    retry: retry ?? { max_attempts: 1, backoff: "none" },
    ...(timeout_seconds === undefined ? {} : { timeout_seconds }),
  };
  const steps =
    after === undefined
      ? [only]
      : [
          { name: "first", handler: { callable: after } },
          { ...only, dependencies: ["first"] },
        ];
  return yamlTemplate(
    JSON.stringify({
      name: `behaviour_${index}`,
      namespace_name: "tests",
      version: "1.0.0",
      identity_strategy: "always_unique",
      steps,
    }),
  );
}
