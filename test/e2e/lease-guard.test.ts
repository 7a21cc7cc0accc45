import { afterAll, beforeAll, expect, test } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProject, chainTemplate, createCliProject } from "./cli-support.js";

/**
 * A TypeScript handler that computes for longer than the lease stops the event loop of its host. The guard's thread keeps
 * the lease meanwhile; without it a second host takes the step over.
 */
const database = useTestDatabase();
let project: CliProject;
/** Long enough for a second host to start meanwhile, on a busy machine too. */
const BUSY_MS = 12_000;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "package.json": '{"type": "module"}',
    "handlers/busy.ts": `
import { defineHandler } from "@tasker-core/sdk";
export const busy = defineHandler("busy", {}, () => {
  const until = Date.now() + (process.env.BUSY === "yes" ? ${BUSY_MS} : 0);
  while (Date.now() < until);
  return { by: process.env.BUSY === "yes" ? "the busy host" : "the other host" };
});
`,
    "config/tasks/busy.yaml": chainTemplate("busy", ["busy"]),
    "guarded.toml": "[lease]\nlease_seconds = 1\n",
    "unguarded.toml": "[lease]\nlease_seconds = 1\nguard_thread = false\n",
  });
});
afterAll(() => project.remove());

const stepOf = async (task: string): Promise<{ state: string; attempts: number; by?: string }> => {
  const { rows } = await database.pool.query<{ state: string; attempts: number; result: string }>(
    "select state, attempts, (results::json -> 'result')::text as result from tasker.workflow_steps where task_uuid = $1",
    [task],
  );
  const [row] = rows;
  if (row === undefined) throw new Error("the task has no step");
  return { ...row, by: (JSON.parse(row.result ?? "{}") as { by?: string }).by ?? "nobody" };
};

test.each([
  ["guarded", "the busy host"],
  ["unguarded", "the other host"],
])(
  "with a %s lease the step is done by %s",
  async (config, by) => {
    const start = (isBusy: boolean) =>
      project.start(["-c", `${config}.toml`, "dev", "--handlers", "handlers", "--json"], {
        env: { BUSY: isBusy ? "yes" : "no" },
      });
    const busy = start(true);
    await waitFor(() => busy.stdout().includes("ready"), { timeoutMs: 30_000 });
    const created = await project.run(["run", "config/tasks/busy.yaml", "--json"]);
    const task = (JSON.parse(created.stdout) as { task_uuid: string }).task_uuid;
    await waitFor(async () => (await stepOf(task)).state === "in_progress");
    const other = start(false);
    await waitFor(() => other.stdout().includes("ready"), { timeoutMs: 30_000 });
    await waitFor(async () => (await stepOf(task)).state === "complete", { timeoutMs: 30_000 });
    expect(await stepOf(task)).toMatchObject({ by, attempts: 1 });
    // The busy one may compute on for seconds, and hears no SIGTERM meanwhile.
    busy.child.kill("SIGKILL");
    other.child.kill("SIGTERM");
    await Promise.all([busy.result, other.result]);
  },
  90_000,
);
