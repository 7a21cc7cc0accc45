import { afterAll, beforeAll, expect, test } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import {
  type CliProcess,
  type CliProject,
  chainTemplate,
  createCliProject,
} from "./cli-support.js";

/** `tasker dev`: changed sources are live at once, in every language; what runs finishes as it was begun. */
const database = useTestDatabase();
let project: CliProject;
let dev: CliProcess;

const typescript = (answer: string): string => `
import { defineHandler } from "@tasker-core/sdk";
import { answer } from "./lib.js";
export const ts = defineHandler("ts.answer", {}, async () => {
  await new Promise((resolve) => setTimeout(resolve, ${answer === "slow" ? 3000 : 0}));
  return { answer: "${answer}", lib: answer };
});
`;
const python = (answer: string): string => `
import time
from tasker_core.step_handler import step_handler
@step_handler("py.answer")
def answer():
    time.sleep(${answer === "slow" ? 3 : 0})
    return {"answer": "${answer}"}
`;
const ruby = (answer: string): string => `
include TaskerCore::StepHandler::Functional
Answer = step_handler('rb.answer') do |context:|
  sleep(${answer === "slow" ? 3 : 0})
  { answer: '${answer}' }
end
`;
const FILES = {
  typescript: { file: "handlers/typescript/handlers.ts", source: typescript, template: "ts" },
  python: { file: "handlers/python/handlers.py", source: python, template: "py" },
  ruby: { file: "handlers/ruby/handlers.rb", source: ruby, template: "rb" },
} as const;
const LANGUAGES = ["typescript", "python", "ruby"] as const;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "package.json": '{"type": "module"}',
    "handlers/typescript/lib.ts": 'export const answer: string = "old lib";',
    "config/tasks/ts.yaml": chainTemplate("ts", ["ts.answer"]),
    "config/tasks/py.yaml": chainTemplate("py", ["py.answer"]),
    "config/tasks/rb.yaml": chainTemplate("rb", ["rb.answer"]),
    ...Object.fromEntries(LANGUAGES.map((each) => [FILES[each].file, FILES[each].source("slow")])),
  });
  dev = project.start(["dev", "--handlers", "handlers", "--json"]);
  await waitFor(() => dev.stdout().includes("ready"), { timeoutMs: 60_000 });
}, 90_000);
afterAll(async () => {
  dev.child.kill("SIGTERM");
  expect((await dev.result).code).toBe(0);
  await project.remove();
});

const create = async (template: string): Promise<string> => {
  const { stdout, stderr } = await project.run(["run", `config/tasks/${template}.yaml`, "--json"]);
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { task_uuid: string }).task_uuid;
};

const step = async (task: string): Promise<{ state: string; answer: unknown }> => {
  const { rows } = await database.pool.query<{ state: string; result: string | null }>(
    "select state, (results::json -> 'result')::text as result from tasker.workflow_steps where task_uuid = $1 order by step_id limit 1",
    [task],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the task has no step");
  return { state: row.state, answer: JSON.parse(row.result ?? "null") };
};

const answerOf = async (task: string): Promise<unknown> => {
  await waitFor(async () => (await step(task)).state === "complete", { timeoutMs: 30_000 });
  return (await step(task)).answer;
};

const reloads = (): Record<string, unknown>[] =>
  dev
    .stdout()
    .split("\n")
    .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]))
    .filter(({ event }) => event !== "ready");

/** Writes the files and waits until the host has taken them up. */
async function change(files: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  const before = reloads().length;
  await project.write(files);
  await waitFor(() => reloads().length > before, { timeoutMs: 30_000 });
  return reloads().at(-1) as Record<string, unknown>;
}

test.each(LANGUAGES)(
  "%s: a changed handler serves the next step, the running one finishes on the old code",
  async (language) => {
    const { file, source, template } = FILES[language];
    const running = await create(template);
    await waitFor(async () => (await step(running)).state === "in_progress");
    const startedAt = performance.now();
    expect(await change({ [file]: source("new") })).toMatchObject({
      event: "reloaded",
      kind: language,
    });
    // The target is one second on a machine of its own.
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await answerOf(await create(template))).toMatchObject({ answer: "new" });
    expect(await answerOf(running)).toMatchObject({ answer: "slow" });
  },
  60_000,
);

test("a module that a TypeScript handler imports is taken up with it", async () => {
  await change({ "handlers/typescript/lib.ts": 'export const answer = "new lib";' });
  expect(await answerOf(await create("ts"))).toEqual({ answer: "new", lib: "new lib" });
}, 60_000);

test("what cannot be used is said, and what was there goes on", async () => {
  const broken = await change({ [FILES.typescript.file]: "export const = nonsense" });
  expect(broken).toMatchObject({ event: "reload_failed", kind: "typescript" });
  expect(String(broken["error"])).toContain("handlers.ts");
  expect(await answerOf(await create("ts"))).toMatchObject({ answer: "new" });
}, 60_000);

test("a changed template and a new one", async () => {
  await change({ "config/tasks/extra.yaml": chainTemplate("extra", ["py.answer"]) });
  const { rows } = await database.pool.query("select from tasker.named_tasks where name = 'extra'");
  expect(rows).toHaveLength(1);
  expect(await answerOf(await create("extra"))).toMatchObject({ answer: "new" });
}, 60_000);
