import { CliError } from "../cli-error.js";
import { objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import { stepsOf } from "../client/steps.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { createProgress } from "../render/progress-bar.js";
import { DEFAULT_ACTOR } from "../step-action.js";
import { taskArgument } from "../uuid-argument.js";

export interface TaskRetryOptions {
  readonly reason: string;
  readonly resetBy?: string;
}

/** `tasker task retry <task>`: every step in error runs again, with its attempts counted anew. */
export async function taskRetry(
  context: CommandContext,
  { reason, resetBy = DEFAULT_ACTOR }: TaskRetryOptions,
  [task = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const reset = await withApi(context, async (api) => {
    // For a task that does not exist: the list of its steps is empty then.
    await api.call("GET", `/v1/tasks/${taskUuid}`, { intent: "retry the task" });
    const steps = (await stepsOf(api, taskUuid)).filter(
      ({ current_state }) => current_state === "error",
    );
    const progress = createProgress(output);
    const done: { name: string; state: string }[] = [];
    for (const step of steps) {
      const name = shown(step["name"]);
      const answer = await api.call(
        "PATCH",
        `/v1/tasks/${taskUuid}/workflow_steps/${shown(step["step_uuid"])}`,
        {
          body: { action_type: "reset_for_retry", reason, reset_by: resetBy },
          intent: `reset step ${name}`,
        },
      );
      done.push({ name, state: shown(objectOf(answer)["current_state"]) });
      if (steps.length > 10) progress.show(done.length, steps.length, "steps reset");
    }
    progress.end();
    return done;
  });
  if (reset.length === 0) {
    const message = `Task ${taskUuid} has no step in error: there is nothing to retry. \`tasker task explain ${taskUuid}\` says what it waits for`;
    throw new CliError("NOTHING_TO_RETRY", EXIT.failed, message, { task_uuid: taskUuid });
  }
  output.print("Task retried successfully!");
  for (const { name, state } of reset) output.print(`  ${name}: error, now ${state}`);
  output.json({ task_uuid: taskUuid, reset });
  return EXIT.ok;
}
