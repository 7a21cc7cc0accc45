import type { CommandContext } from "../command-context.js";
import { DEFAULT_ACTOR, runStepAction } from "../step-action.js";

export interface ResetStepOptions {
  readonly reason: string;
  readonly resetBy?: string;
}

/** `tasker task reset-step <task> <step>` */
export async function taskResetStep(
  context: CommandContext,
  { reason, resetBy: actor = DEFAULT_ACTOR }: ResetStepOptions,
  args: readonly string[],
): Promise<number> {
  return await runStepAction(
    context,
    args,
    { done: "reset", body: { action_type: "reset_for_retry", reason, reset_by: actor } },
    (operator, task, step) => operator.resetStep(task, step, { actor, reason }),
  );
}
