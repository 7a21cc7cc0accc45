import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertIntegrity } from "../sql/support/sql-host.js";
import { useTestDatabase } from "../support/test-database.js";
import { type CliProject, chainTemplate, createCliProject, HANDLERS } from "./cli-support.js";

/** Actions of operators on the command line, as processes of their own; the engine is another one. */
const database = useTestDatabase();
let project: CliProject;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "handlers/all.ts": HANDLERS,
    "fails.yaml": chainTemplate("fails", ["add", "refuse", "done"]),
  });
});
afterAll(async () => {
  await project.remove();
  await assertIntegrity(database.pool);
});

/** A task whose second step failed, and whose third waits for it. */
async function blockedTask(): Promise<string> {
  const { stdout } = await project.run([
    ...["run", "fails.yaml", "--wait", "--ts", "handlers", "--json", "-i", '{"n": 1}'],
  ]);
  return (JSON.parse(stdout) as { task_uuid: string }).task_uuid;
}

async function stepsOf(taskUuid: string): Promise<Record<string, Record<string, unknown>>> {
  const { stdout } = await project.run(["task", "get", taskUuid, "--json"]);
  const { steps } = JSON.parse(stdout) as { steps: Record<string, unknown>[] };
  return Object.fromEntries(steps.map((step) => [step["name"], step]));
}

describe("tasker task", () => {
  it("acts on a step by name or id until nothing is left, and says what it did", async () => {
    const task = await blockedTask();
    const reset = await project.run([
      ...["task", "reset-step", task, "step_1", "-r", "the card works now", "--json"],
    ]);
    expect(reset.code).toBe(0);
    expect(JSON.parse(reset.stdout)).toMatchObject({
      task_uuid: task,
      from_state: "error",
      to_state: "pending",
      from_task_status: "blocked_by_failures",
      task_status: "steps_in_process",
      queued_steps: 1,
    });
    const again = await project.run(["task", "reset-step", task, "step_1", "-r", "again"]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("it is enqueued, and only a step in error is reset");

    const stepUuid = String((await stepsOf(task))["step_1"]?.["step_uuid"]);
    const complete = await project.run([
      ...["task", "complete-step", task, stepUuid, "--result", '{"amount": 1.0}'],
      ...["--metadata", '{"ticket": 7}', "-r", "paid in cash", "-b", "ada"],
    ]);
    expect(complete).toEqual({
      code: 0,
      stderr: "",
      stdout: `Step completed successfully!\n  step      ${stepUuid}: enqueued, now complete\n  task      ${task}: steps_in_process\n  queued    1 to run\n`,
    });
    const resolve = await project.run(["task", "resolve-step", task, "step_2"]);
    expect(resolve.stdout).toContain(`task      ${task}: steps_in_process, now complete`);

    const steps = await stepsOf(task);
    expect(steps["step_1"]).toMatchObject({
      current_state: "complete",
      result: { amount: 1 },
      attempts: 0,
    });
    expect(steps["step_2"]).toMatchObject({ current_state: "resolved_manually" });
    const { rows } = await database.pool.query(
      "select action, actor, reason from tasker_core.operator_actions order by action_id",
    );
    expect(rows).toEqual([
      { action: "reset_step", actor: "cli-operator", reason: "the card works now" },
      { action: "complete_step", actor: "ada", reason: "paid in cash" },
      { action: "resolve_step", actor: "cli-operator", reason: null },
    ]);
  });

  it("cancels a task once", async () => {
    const task = await blockedTask();
    const cancelled = await project.run(["task", "cancel", task]);
    expect(cancelled).toEqual({
      code: 0,
      stderr: "",
      stdout: `Task cancelled successfully!\n  task      ${task}: blocked_by_failures, now cancelled\n`,
    });
    const again = await project.run(["task", "cancel", task, "--json"]);
    expect(again.code).toBe(1);
    expect(JSON.parse(again.stdout)).toMatchObject({
      error: { code: "INVALID_TRANSITION", state: "cancelled", event: "Cancel" },
    });
    const steps = await stepsOf(task);
    expect(Object.values(steps).map((step) => step["current_state"])).toEqual([
      "complete",
      "cancelled",
      "cancelled",
    ]);
  });

  it("says what is wrong with the command line, the task or the step", async () => {
    const nobody = "00000000-0000-7000-8000-000000000000";
    const task = await blockedTask();
    const cases: [string[], number, RegExp][] = [
      [["cancel", "order-7"], 2, /`order-7` is not a task id/],
      [["cancel", nobody], 1, /There is no task 0{8}/],
      [["reset-step", task, "step_1"], 2, /required option '-r, --reason <text>'/],
      [["resolve-step", task, "step_9"], 1, /no step `step_9`; its steps: step_0, step_1, step_2/],
      [["complete-step", task, "step_1", "--result", "{"], 2, /--result is not JSON/],
    ];
    for (const [args, code, message] of cases) {
      const result = await project.run(["task", ...args]);
      expect([args[0], result.code]).toEqual([args[0], code]);
      expect(result.stderr).toMatch(message);
    }
  });
});
