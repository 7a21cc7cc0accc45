import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

const database = useTestDatabase();
let project: CliProject;
let failedTask: string;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "handlers/all.ts": HANDLERS,
    "templates/fails.yaml": chainTemplate("fails", ["add", "refuse"]),
    "templates/broken.yaml": "name: broken\nnamespace_name: cli\nversion: 1.0.0\nsteps: 7\n",
    "odd.yaml": `${chainTemplate("odd", ["add"])}surprise: true\n`,
  });
  const { stdout } = await project.run([
    ...["run", "templates/fails.yaml", "--wait", "--ts", "handlers", "--json", "-i", '{"n": 1}'],
  ]);
  failedTask = (JSON.parse(stdout) as { task_uuid: string }).task_uuid;
});
afterAll(() => project.remove());

describe("tasker task get", () => {
  it("shows steps, failed attempts, input and results", async () => {
    const { code, stdout } = await project.run(["task", "get", failedTask]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Task ${failedTask}\n  template  cli/fails 1.0.0\n`);
    expect(stdout).toContain("status    blocked_by_failures, 1 of 2 steps complete");
    expect(stdout).toMatch(/✗ {3}step_1 {2}error .*the card was declined/);
    expect(stdout).toMatch(
      /step_1 .*permanent .* on tasker-.*\/typescript {2}permanent_error: the card/,
    );
  });

  it("ends with 1 for a task that does not exist", async () => {
    const unknown = "00000000-0000-7000-8000-000000000000";
    const { code, stdout } = await project.run(["task", "get", unknown, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "TASK_NOT_FOUND", task_uuid: unknown },
    });
  });

  it("ends with 2 for what is no id", async () => {
    const { code, stderr } = await project.run(["task", "get", "order-7"]);
    expect(code).toBe(2);
    expect(stderr).toContain("`order-7` is not a task id");
  });
});

describe("tasker task list", () => {
  it("filters by namespace and state", async () => {
    const found = await project.run([
      ...["task", "list", "-n", "cli", "-s", "blocked_by_failures", "--json"],
    ]);
    expect(JSON.parse(found.stdout)).toMatchObject({
      tasks: [{ task_uuid: failedTask, name: "fails", total_steps: 2, failed_steps: 1 }],
    });
    const none = await project.run(["task", "list", "-n", "elsewhere"]);
    expect(none).toEqual({ code: 0, stdout: "No tasks.\n", stderr: "" });
  });

  it("lists the states it knows for one it does not", async () => {
    const { code, stderr } = await project.run(["task", "list", "-s", "finished"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/`finished` is not a task state.*blocked_by_failures/);
  });

  it("says nothing when its reader has gone", async () => {
    const { child, result } = project.start(["task", "list"]);
    child.stdout?.destroy();
    expect(await result).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

describe("tasker template", () => {
  it("lists every problem of every file with its place", async () => {
    const { code, stdout } = await project.run(["template", "validate", "templates", "odd.yaml"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^templates\/broken\.yaml:4:8: error: .*\n/);
    expect(stdout).toMatch(/odd\.yaml:7:1: warning: unknown key `surprise`/);
  });

  it("takes warnings for errors with --strict", async () => {
    expect((await project.run(["template", "validate", "odd.yaml"])).code).toBe(0);
    const { code, stdout } = await project.run([
      ...["template", "validate", "--strict", "odd.yaml", "--json"],
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [{ severity: "error", file: "odd.yaml", line: 7, column: 1 }],
    });
  });

  it("draws a template as Mermaid", async () => {
    const { code, stdout } = await project.run(["template", "graph", "templates/fails.yaml"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^flowchart TD\n/);
    expect(stdout).toContain("s0 --> s1");
  });
});

describe("tasker db", () => {
  it("finds a migrated schema complete", async () => {
    const { code, stdout } = await project.run(["db", "status", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ usable: true, pending: [], mismatched: [] });
  });
});

describe("a database that is not there", () => {
  it.each([
    [
      "refuses connections",
      { DATABASE_URL: "postgresql://x@127.0.0.1:9/x" },
      "DATABASE_UNREACHABLE",
    ],
    ["was never made", { DATABASE_URL: "" }, "DATABASE_NOT_FOUND"],
  ])("ends with 3 when it %s", async (_, variables, errorCode) => {
    const other = await createCliProject(() => variables.DATABASE_URL);
    try {
      const { code, stdout, stderr } = await other.run(["task", "list", "--json"]);
      expect(code).toBe(3);
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: errorCode } });
    } finally {
      await other.remove();
    }
  });
});
