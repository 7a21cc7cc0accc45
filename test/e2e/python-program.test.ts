import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, createCliProject } from "./cli-support.js";

/** A plain Python program that starts its own worker: `Worker.start()` and nothing else. */
const database = useTestDatabase();
let project: CliProject;
let program: ChildProcess | undefined;

const MAIN = fileURLToPath(new URL("../../core/src/cli/main.ts", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../python-bridge/src", import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

const PROGRAM = `
import sys, tasker_core
from tasker_core.definitions import step, task_handler
from tasker_core.step_handler import depends_on, inputs, step_handler

@step_handler("sums.double")
@inputs("n")
def double(n):
    return {"doubled": 2 * n}

@step_handler("sums.tell")
@depends_on(before="double")
async def tell(before):
    return {"told": before["doubled"]}

@task_handler("coded", namespace="py", version="2.0.0", input={"type": "object", "required": ["n"]})
class Coded:
    @step()
    def add(self, context):
        return {"n": context.get_input("n") + 1}

    @step(depends_on="add", timeout_ms=5000)
    async def show(self, add):
        return {"shown": add["n"]}

registry = tasker_core.HandlerRegistry.instance()
for each in (double, tell):
    registry.register(each._handler_class.handler_name, each._handler_class)
with tasker_core.Worker.start() as worker:
    print("started", tasker_core.get_worker_status().supported_namespaces, flush=True)
    sys.stdin.read()
print("stopped", flush=True)
`;

const TEMPLATE = `
name: sums
namespace_name: py
version: 1.0.0
steps:
  - {name: double, handler: {callable: sums.double}}
  - {name: tell, dependencies: [double], handler: {callable: sums.tell}}
`;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({ "program.py": PROGRAM, "config/tasks/sums.yaml": TEMPLATE });
});
afterAll(async () => {
  program?.kill("SIGKILL");
  await project.remove();
});

it("runs the steps of a task and stops the host it started", async () => {
  const server = project.start(["server", "--json"]);
  await waitFor(() => server.stdout().endsWith("\n"), { timeoutMs: 30_000 });
  const { TASKER_BRIDGE: _, ...environment } = process.env;
  program = spawn("python3", ["program.py"], {
    cwd: project.directory,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...environment,
      DATABASE_URL: database.url,
      PYTHONPATH: PACKAGE,
      TASKER_BIN: `${process.execPath} --conditions=@tasker-core/source --import ${TSX} ${MAIN}`,
    },
  });
  const ended = new Promise<number | null>((settle) => program?.once("close", settle));
  let printed = "";
  program.stdout?.on("data", (chunk) => {
    printed += chunk;
  });
  await waitFor(() => printed.includes("started"), { timeoutMs: 60_000 });
  expect(printed).toContain("['py']");

  const run = await project.run(["run", "config/tasks/sums.yaml", "--json", "-i", '{"n": 21}']);
  expect(run.code, run.stdout).toBe(0);
  const { task_uuid: task } = JSON.parse(run.stdout) as { task_uuid: string };
  const get = async () =>
    JSON.parse((await project.run(["task", "get", task, "--json"])).stdout) as {
      status: string;
      results: Record<string, unknown>;
    };
  await waitFor(async () => (await get()).status === "complete", { timeoutMs: 60_000 });
  expect((await get()).results["tell"]).toEqual({ told: 42 });

  // The template that the program defines in code is registered like the file.
  const coded = async () => {
    const { rows } = await database.pool.query<{ configuration: string }>(
      "select configuration::text from tasker.named_tasks where name = 'coded' and version = '2.0.0'",
    );
    return rows[0]?.configuration;
  };
  await waitFor(async () => (await coded()) !== undefined, { timeoutMs: 30_000 });
  const template = JSON.parse((await coded()) ?? "") as { steps: { name: string }[] };
  expect(template.steps.map(({ name }) => name)).toEqual(["add", "show"]);
  program.stdin?.end();
  expect(await ended).toBe(0);
  expect(printed).toContain("stopped");
  server.child.kill("SIGTERM");
  expect((await server.result).code).toBe(0);
}, 180_000);
