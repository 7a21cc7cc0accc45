import { OperatorActions } from "../../lifecycle/operator-actions.js";
import { planLimits } from "../../lifecycle/plans/index.js";
import { serverApi } from "../client/open-api.js";
import { remoteCancel } from "../client/remote-tasks.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { DEFAULT_ACTOR } from "../step-action.js";
import { taskArgument } from "../uuid-argument.js";
import { withPool } from "../with-pool.js";

export interface TaskCancelOptions {
  readonly reason?: string;
  readonly cancelledBy?: string;
}

/** `tasker task cancel <uuid>` */
export async function taskCancel(
  context: CommandContext,
  { reason, cancelledBy: actor = DEFAULT_ACTOR }: TaskCancelOptions,
  [task = ""]: readonly string[],
): Promise<number> {
  const taskUuid = taskArgument(task);
  const api = serverApi(context);
  if (api !== null) return await remoteCancel(context, api, taskUuid);
  const closed = await withPool(context, { needsSchema: true }, (pool, { config }) =>
    new OperatorActions({ pool, plans: planLimits(config) }).cancelTask(taskUuid, {
      actor,
      reason,
    }),
  );
  const { output } = context;
  output.print(
    [
      "Task cancelled successfully!",
      `  task      ${taskUuid}: ${closed.fromState}, now ${closed.state}`,
      ...(closed.runningSteps === 0
        ? []
        : [`  running   ${closed.runningSteps} told to stop, their results will be refused`]),
    ].join("\n"),
  );
  output.json({
    task_uuid: taskUuid,
    from_status: closed.fromState,
    status: closed.state,
    running_steps: closed.runningSteps,
  });
  return EXIT.ok;
}
