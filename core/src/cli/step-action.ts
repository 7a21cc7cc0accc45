import type { Pool } from "../db/index.js";
import { StateError } from "../errors/index.js";
import { OperatorActions, type StepActedOn } from "../lifecycle/operator-actions.js";
import { planLimits } from "../lifecycle/plans/index.js";
import { findTask, stepsOfTask } from "../lifecycle/task-queries.js";
import { serverApi } from "./client/open-api.js";
import { remoteStepAction } from "./client/remote-tasks.js";
import type { CommandContext } from "./command-context.js";
import { EXIT } from "./exit-codes.js";
import { printable } from "./terminal.js";
import { isUuid, taskArgument } from "./uuid-argument.js";
import { withPool } from "./with-pool.js";

/** Who acts unless the command line says. */
export const DEFAULT_ACTOR = "cli-operator";

export interface StepAction {
  /** As in "Step reset successfully!". */
  readonly done: string;
  /** The same action for the API. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** One action on the step that a command line names, and its answer. */
export async function runStepAction(
  context: CommandContext,
  [task = "", step = ""]: readonly string[],
  { done, body }: StepAction,
  act: (operator: OperatorActions, taskUuid: string, stepUuid: string) => Promise<StepActedOn>,
): Promise<number> {
  const taskUuid = taskArgument(task);
  const api = serverApi(context);
  if (api !== null) return await remoteStepAction(context, api, [taskUuid, step], done, body);
  const result = await withPool(context, { needsSchema: true }, async (pool, { config }) =>
    act(
      new OperatorActions({
        pool,
        plans: planLimits(config),
        enforceResultSchemas: config.compatibility.profile === "default",
      }),
      taskUuid,
      await stepArgument(pool, taskUuid, step),
    ),
  );
  const { output } = context;
  if (result.warning !== null) {
    output.note(`warning: the result created no steps: ${result.warning}`);
  }
  output.print(
    [
      `Step ${done} successfully!`,
      `  step      ${printable(step)}: ${result.fromState}, now ${result.toState}`,
      `  task      ${taskUuid}: ${taskChange(result)}`,
      ...(result.queuedSteps === 0 ? [] : [`  queued    ${result.queuedSteps} to run`]),
    ].join("\n"),
  );
  output.json({
    task_uuid: taskUuid,
    step_uuid: result.stepUuid,
    from_state: result.fromState,
    to_state: result.toState,
    from_task_status: result.fromTaskState,
    task_status: result.taskState,
    queued_steps: result.queuedSteps,
    warning: result.warning,
  });
  return EXIT.ok;
}

function taskChange({ fromTaskState, taskState }: StepActedOn): string {
  return fromTaskState === taskState ? taskState : `${fromTaskState}, now ${taskState}`;
}

/**
 * A step by its id, or by its name in the task.
 * @throws StateError TASK_NOT_FOUND, STEP_NOT_FOUND naming the steps that there are
 */
async function stepArgument(pool: Pool, taskUuid: string, step: string): Promise<string> {
  if (isUuid(step)) return step;
  const task = await findTask(pool, taskUuid);
  if (task === null) {
    const message = `There is no task ${taskUuid} in this database`;
    throw new StateError("TASK_NOT_FOUND", message, { context: { taskUuid } });
  }
  const steps = await stepsOfTask(pool, task.task_id);
  const found = steps.find(({ name }) => name === step);
  if (found !== undefined) return found.step_uuid;
  const names = steps.slice(0, 20).map(({ name }) => printable(name));
  throw new StateError(
    "STEP_NOT_FOUND",
    `Task ${taskUuid} has no step \`${printable(step)}\`; its steps: ${names.join(", ")}${steps.length > 20 ? ", …" : ""}`,
    { context: { taskUuid, stepName: step } },
  );
}
