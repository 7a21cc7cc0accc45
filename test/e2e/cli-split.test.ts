import { afterAll, beforeAll, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

/** A server and two workers as processes of their own; one worker is killed in the middle. */
const database = useTestDatabase();
let project: CliProject;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "package.json": '{"type": "module"}',
    "tasker.toml": "[lease]\nlease_seconds = 2\n",
    "handlers/all.ts": HANDLERS,
    "config/tasks/slow.yaml": chainTemplate("slow", ["slow", "done"]),
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

it("a task runs over a server and a worker, and outlives a worker that is killed", async () => {
  const common = ["--json", "--config", "tasker.toml"];
  const server = project.start(["server", ...common]);
  const doomed = project.start(["worker", "--handlers", "handlers", ...common]);
  await waitFor(() => server.stdout().endsWith("\n") && doomed.stdout().endsWith("\n"), {
    timeoutMs: 20_000,
  });
  const { stdout } = await project.run(["run", "config/tasks/slow.yaml", ...common]);
  const { task_uuid: task } = JSON.parse(stdout) as { task_uuid: string };
  await waitFor(async () => (await statesOf(task))[0] === "in_progress", { timeoutMs: 10_000 });
  doomed.child.kill("SIGKILL");
  await doomed.result;

  const worker = project.start(["worker", "--handlers", "handlers", ...common]);
  await waitFor(async () => (await statesOf(task)).every((state) => state === "complete"), {
    timeoutMs: 30_000,
  });
  const { rows } = await database.pool.query<{ results: bigint }>(
    "select count(*) as results from tasker_core.step_results",
  );
  expect(rows[0]?.results).toBe(2n);
  worker.child.kill("SIGTERM");
  server.child.kill("SIGTERM");
  expect((await worker.result).code).toBe(0);
  expect((await server.result).code).toBe(0);
}, 90_000);
