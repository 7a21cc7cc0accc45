import { OperatorActions } from "../../lifecycle/operator-actions.js";
import { planLimits } from "../../lifecycle/plans/index.js";
import { databaseOnly } from "../client/database-only.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { DEFAULT_ACTOR } from "../step-action.js";
import { taskArgument } from "../uuid-argument.js";
import { withPool } from "../with-pool.js";

export interface TaskResolveOptions {
  readonly reason?: string;
  readonly resolvedBy?: string;
}

/** `tasker task resolve <uuid>`: the task was dealt with elsewhere; nothing of it runs any more. */
export async function taskResolve(
  context: CommandContext,
  { reason, resolvedBy: actor = DEFAULT_ACTOR }: TaskResolveOptions,
  [task = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  databaseOnly(context, "task resolve");
  const closed = await withPool(context, { needsSchema: true }, (pool, { config }) =>
    new OperatorActions({ pool, plans: planLimits(config) }).resolveTask(taskUuid, {
      actor,
      reason,
    }),
  );
  output.print("Task resolved successfully!");
  output.print(`  task      ${taskUuid}: ${closed.fromState}, now ${closed.state}`);
  output.json({
    task_uuid: taskUuid,
    from_status: closed.fromState,
    status: closed.state,
    running_steps: closed.runningSteps,
  });
  return EXIT.ok;
}
