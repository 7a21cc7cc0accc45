import type { CommandContext } from "../command-context.js";
import { DEFAULT_ACTOR, runStepAction } from "../step-action.js";

export interface ResolveStepOptions {
  readonly reason?: string;
  readonly resolvedBy?: string;
}

/** `tasker task resolve-step <task> <step>` */
export async function taskResolveStep(
  context: CommandContext,
  { reason, resolvedBy: actor = DEFAULT_ACTOR }: ResolveStepOptions,
  args: readonly string[],
): Promise<number> {
  return await runStepAction(
    context,
    args,
    {
      done: "resolved",
      body: { action_type: "resolve_manually", reason: reason ?? "", resolved_by: actor },
    },
    (operator, task, step) => operator.resolveStep(task, step, { actor, reason }),
  );
}
