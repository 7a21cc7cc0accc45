import { CliError } from "../cli-error.js";
import { shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import { stepsOf } from "../client/steps.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { taskArgument } from "../uuid-argument.js";

/** `tasker task steps <task>` */
export async function taskSteps(
  context: CommandContext,
  _options: object,
  [task = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const steps = await withApi(context, (api) => stepsOf(api, taskUuid));
  if (steps.length === 0) {
    throw new CliError(
      "TASK_NOT_FOUND",
      EXIT.failed,
      `There is no task ${taskUuid}, or it has no steps`,
      { task_uuid: taskUuid },
    );
  }
  const rows = steps.map((step) => [
    shown(step["name"]),
    shown(step["current_state"]),
    `${shown(step["attempts"])}/${shown(step["max_attempts"])}`,
    `${shown(step["completed_parents"])}/${shown(step["total_parents"])}`,
    shown(step["next_retry_at"]),
    shown(step["step_uuid"]),
  ]);
  const header = ["STEP", "STATE", "ATTEMPTS", "PARENTS", "NEXT RETRY", "ID"];
  output.print(renderTable([header, ...rows]).join("\n"));
  output.json({ steps });
  return EXIT.ok;
}
