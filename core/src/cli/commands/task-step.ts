import type { JsonObject } from "../../lib/json-number.js";
import { listOf, objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import { stepPath } from "../client/steps.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderFields } from "../render/fields.js";
import { prettyJson } from "../render/pretty-json.js";
import { taskArgument } from "../uuid-argument.js";

const FIELDS = [
  ...["step_uuid", "task_uuid", "current_state", "attempts", "max_attempts", "total_parents"],
  ...["completed_parents", "dependencies_satisfied", "retry_eligible", "ready_for_execution"],
  ...["created_at", "last_attempted_at", "last_failure_at", "next_retry_at", "completed_at"],
];

/** `tasker task step <task> <step>` */
export async function taskStep(
  context: CommandContext,
  _options: object,
  [task = "", step = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const found = await withApi(context, async (api) =>
    objectOf(
      await api.call("GET", await stepPath(api, taskUuid, step), { intent: "read the step" }),
    ),
  );
  output.print(output.palette.bold(`Step ${shown(found["name"])}`));
  output.print(renderFields(found, FIELDS, output.palette).join("\n"));
  if (found["results"] != null) output.print(prettyJson(found["results"]));
  output.json(found);
  return EXIT.ok;
}

/** `tasker task step-audit <task> <step>`: what workers handed in for it, newest first. */
export async function taskStepAudit(
  context: CommandContext,
  _options: object,
  [task = "", step = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const audit = await withApi(context, async (api) => {
    const path = `${await stepPath(api, taskUuid, step)}/audit`;
    return listOf(await api.call("GET", path, { intent: "read the step's audit" }));
  });
  if (audit.length === 0) output.print("No worker has handed in a result for this step.");
  for (const entry of audit) output.print(auditLine(entry));
  output.json({ audit });
  return EXIT.ok;
}

function auditLine(entry: JsonObject): string {
  const data = objectOf(objectOf(entry["result"])["data"]);
  const error = objectOf(data["error"]);
  const failure = entry["success"] === false ? `  ${shown(error["message"])}` : "";
  const took =
    entry["execution_time_ms"] == null ? "" : `  ${shown(entry["execution_time_ms"])} ms`;
  return `${shown(entry["recorded_at"])}  ${shown(entry["from_state"])} -> ${shown(entry["to_state"])}${took}${failure}`;
}
