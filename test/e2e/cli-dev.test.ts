import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

const database = useTestDatabase();
let project: CliProject;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "package.json": '{"type": "module"}',
    "handlers/all.ts": HANDLERS,
    "handlers/broken.ts": "throw new Error('half written');",
    "config/tasks/slow.yaml": chainTemplate("slow", ["slow", "done"]),
    "config/tasks/other.yaml": chainTemplate("other", ["somewhere_else"]),
    "config/tasks/broken.yaml": "name: broken\n",
  });
});
afterAll(() => project.remove());

const statesOf = async (taskUuid: string): Promise<string[]> => {
  const { rows } = await database.pool.query<{ state: string }>(
    "select state from tasker.workflow_steps where task_uuid = $1 order by step_id",
    [taskUuid],
  );
  return rows.map(({ state }) => state);
};

const createSlow = async (): Promise<string> => {
  const { stdout } = await project.run(["run", "config/tasks/slow.yaml", "--json"]);
  return (JSON.parse(stdout) as { task_uuid: string }).task_uuid;
};

describe("tasker dev", () => {
  it("serves the project's templates until it is told to stop, and finishes what runs", async () => {
    const running = project.start(["dev", "--handlers", "handlers", "--json"]);
    await waitFor(() => running.stdout().endsWith("\n"));
    expect(JSON.parse(running.stdout())).toMatchObject({
      event: "ready",
      namespaces: ["cli"],
      templates: ["cli/other 1.0.0", "cli/slow 1.0.0"],
      languages: [{ language: "typescript", handlers: ["add", "done", "refuse", "slow"] }],
      unserved: ["somewhere_else"],
      problems: [expect.stringMatching(/broken\.ts cannot be imported: half written/)],
    });
    const task = await createSlow();
    await waitFor(async () => (await statesOf(task))[0] === "in_progress");
    running.child.kill("SIGTERM");
    const { code, stderr } = await running.result;
    expect(code).toBe(0);
    expect(stderr).toContain("config/tasks/broken.yaml:1:1: error: ");
    expect(await statesOf(task)).toEqual(["complete", "enqueued"]);
  });

  it("stops at once on the second Ctrl-C", async () => {
    const running = project.start(["dev", "--handlers", "handlers"]);
    await waitFor(() => running.stdout().includes("Ctrl-C stops."));
    expect(running.stdout()).toMatch(/^Tasker is running\n {2}database {4}127\.0\.0\.1:\d+\/test_/);
    const task = await createSlow();
    await waitFor(async () => (await statesOf(task))[0] === "in_progress");
    running.child.kill("SIGINT");
    // Signals of one kind that come together count once: the second is sent when the first was heard.
    await waitFor(() => running.stderr().includes("Press Ctrl-C again"));
    running.child.kill("SIGINT");
    expect((await running.result).code).toBe(130);
    expect((await statesOf(task))[0]).toBe("in_progress");
  });
});
