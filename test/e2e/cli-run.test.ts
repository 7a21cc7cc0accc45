import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

const database = useTestDatabase();
let project: CliProject;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "handlers/all.ts": HANDLERS,
    "ok.yaml": chainTemplate("ok", ["add", "done"]),
    "fails.yaml": chainTemplate("fails", ["add", "refuse", "done"]),
    "slow.yaml": chainTemplate("slow", ["slow", "done"]),
    "unknown.yaml": chainTemplate("unknown", ["nobody_has_this"]),
    "broken.yaml": "name: broken\nnamespace_name: cli\nversion: 1.0.0\nsteps:\n  - name: a\n",
    "soon.toml": "[lease]\nhandler_wait_seconds = 1\n",
  });
});
afterAll(() => project.remove());

describe("tasker run --wait", () => {
  it("completes a task and prints its steps and results", async () => {
    const { code, stdout, stderr } = await project.run([
      ...["run", "ok.yaml", "--wait", "--handlers", "handlers", "-i", '{"n": 41}'],
    ]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Task [0-9a-f-]{36}\n/);
    expect(stdout).toMatch(/step_0 {2}complete {2}\d+ ms {2}typescript\n/);
    expect(stdout).toMatch(/step_1 {2}complete/);
    expect(stdout).toMatch(/Complete in [\d.]+ m?s\n\{\n {2}"step_1": \{\n {4}"done": true\n/);
  });

  it("prints one JSON document with --json, numbers as they were written", async () => {
    const { code, stdout } = await project.run(
      ["run", "ok.yaml", "--wait", "--ts", "handlers", "--json", "-i", "-"],
      { stdin: '{"n": 1, "exact": 9007199254740993, "float": 2.0}' },
    );
    expect(code).toBe(0);
    expect(stdout).toContain('"exact":9007199254740993,"float":2.0');
    expect(JSON.parse(stdout)).toMatchObject({
      status: "complete",
      results: { step_1: { done: true } },
      steps: [
        { name: "step_0", current_state: "complete", attempts: 1, result: { sum: 2 } },
        { name: "step_1", dependencies: ["step_0"], history: [{ success: true }] },
      ],
    });
  });

  it("ends with 1 when a step fails, naming it and its error without control characters", async () => {
    const { code, stdout } = await project.run([
      "run",
      "fails.yaml",
      "--wait",
      "--ts",
      "handlers",
      "-i",
      '{"n": 1}',
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /Not complete after .*: step step_1 failed \(attempt 1 of 3\): permanent_error: the card was declined\\u001b\[31m/,
    );
    expect(stdout).not.toContain("\u001b");
  });

  it("keeps the task in the answer when it fails, beside the error", async () => {
    const { code, stdout } = await project.run([
      ...["run", "fails.yaml", "--wait", "--ts", "handlers", "--json", "-i", '{"n": 1}'],
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "blocked_by_failures",
      error: { code: "TASK_FAILED", step: "step_1", error_type: "permanent_error" },
      steps: [{}, { current_state: "error" }, { current_state: "pending" }],
    });
  });

  it("fails a step that nobody can run after the configured wait", async () => {
    const { code, stdout, stderr } = await project.run([
      ...["run", "unknown.yaml", "--wait", "--ts", "handlers", "-c", "soon.toml"],
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/step step_0 failed .*nobody_has_this/);
    expect(stderr).toContain("nobody_has_this");
  });

  it("gives up waiting after --timeout and says how the task stands", async () => {
    const { code, stdout } = await project.run([
      ...["run", "slow.yaml", "--wait", "--ts", "handlers", "--timeout", "0.2", "--json"],
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "TASK_WAIT_TIMEOUT" },
      steps: [{ current_state: "in_progress" }, { current_state: "pending" }],
    });
  });

  it("creates one task per element with --each", async () => {
    const { code, stdout } = await project.run(
      ["run", "ok.yaml", "--wait", "--each", "--ts", "handlers", "--json", "-i", "-"],
      { stdin: '[{"n": 1}, {"n": 2}, {"n": 3}]' },
    );
    expect(code).toBe(0);
    const { tasks } = JSON.parse(stdout) as { tasks: { steps: { result: { sum: number } }[] }[] };
    expect(tasks.map(({ steps }) => steps[0]?.result.sum)).toEqual([2, 3, 4]);
  });

  it("lets running steps finish on Ctrl-C and ends with 130", async () => {
    const running = project.start(["run", "slow.yaml", "--wait", "--ts", "handlers"]);
    await waitFor(() => running.stdout().includes("step_0  in_progress"), { timeoutMs: 60_000 });
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.result;
    expect(code).toBe(130);
    expect(stderr).toBe("Stopping: steps that are running may finish.\n");
    const uuid = /Task ([0-9a-f-]{36})/.exec(stdout)?.[1] ?? "";
    const { rows } = await database.pool.query<{ state: string }>(
      "select s.state from tasker.workflow_steps s where s.task_uuid = $1 order by s.step_id",
      [uuid],
    );
    expect(rows.map(({ state }) => state)).toEqual(["complete", "enqueued"]);
  });
});

describe("tasker run", () => {
  it("only creates the task without --wait, once per idempotency key", async () => {
    const args = ["run", "ok.yaml", "--json", "-i", '{"n": 1}', "--idempotency-key", "order-7"];
    const first = await project.run(args);
    expect(first.code).toBe(0);
    const { task_uuid } = JSON.parse(first.stdout) as { task_uuid: string };

    const again = await project.run(args);
    expect(again.code).toBe(2);
    expect(JSON.parse(again.stdout)).toMatchObject({
      error: { code: "TASK_DUPLICATE", task_uuid },
    });

    const { rows } = await database.pool.query<{ attempts: number }>(
      "select attempts from tasker.workflow_steps where task_uuid = $1",
      [task_uuid],
    );
    expect(rows.map(({ attempts }) => attempts)).toEqual([0, 0]);
  });

  it.each([
    [
      "a template with errors",
      ["run", "broken.yaml"],
      "TEMPLATE_INVALID",
      /broken\.yaml:5:\d+: error: /,
    ],
    ["a template that is not there", ["run", "no.yaml"], "TEMPLATE_INVALID", /no\.yaml/],
    ["input that is not JSON", ["run", "ok.yaml", "-i", "{n"], "INPUT_INVALID", /not JSON/],
    ["an array without --each", ["run", "ok.yaml", "-i", "[]"], "INPUT_INVALID", /--each/],
    [
      "a handler path that is not there",
      ["run", "ok.yaml", "-w", "--ts", "no"],
      "HANDLER_PATH_NOT_FOUND",
      /no /,
    ],
    ["an option that does not exist", ["run", "ok.yaml", "--wiat"], "USAGE", /--wiat/],
  ])("ends with 2 for %s", async (_, args, errorCode, message) => {
    const { code, stdout } = await project.run([...args, "--json"]);
    expect(code).toBe(2);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect(error.code).toBe(errorCode);
    expect(error.message).toMatch(message);
  });

  it("ends with 2 when a handler file cannot be loaded", async () => {
    await project.write({ "broken-handlers/bad.ts": "throw new Error('no such table');" });
    const { code, stderr } = await project.run([
      ...["run", "ok.yaml", "--wait", "--ts", "broken-handlers"],
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bad\.ts cannot be imported: no such table/);
  });

  it("ends with 3 when an interpreter is missing", async () => {
    await project.write({
      "py/h.py": "",
      "py.toml": '[worker.python]\ncommand = ["python-that-is-not-there"]\n',
    });
    const { code, stderr } = await project.run([
      ...["run", "ok.yaml", "--wait", "--python", "py", "-c", "py.toml"],
    ]);
    expect(code).toBe(3);
    expect(stderr).toContain("there is no program `python-that-is-not-there`");
    expect(stderr).toContain("[INTERPRETER_NOT_FOUND]");
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
