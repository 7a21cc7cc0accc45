import type { JsonObject } from "../../lib/json-number.js";
import { nearestName } from "../../lib/nearest-name.js";
import { CliError } from "../cli-error.js";
import { EXIT } from "../exit-codes.js";
import { printable } from "../terminal.js";
import { isUuid } from "../uuid-argument.js";
import { type Api, listOf, shown } from "./api.js";

/** The steps of a task as the API lists them; an unknown task has none. */
export async function stepsOf(api: Api, taskUuid: string): Promise<readonly JsonObject[]> {
  const path = `/v1/tasks/${taskUuid}/workflow_steps`;
  return listOf(await api.call("GET", path, { intent: "read the task's steps" }));
}

/**
 * The path of a step that is named by its id, or by its name in the task.
 * @throws CliError STEP_NOT_FOUND with the names that there are
 */
export async function stepPath(api: Api, taskUuid: string, step: string): Promise<string> {
  const path = `/v1/tasks/${taskUuid}/workflow_steps`;
  if (isUuid(step)) return `${path}/${step}`;
  const steps = await stepsOf(api, taskUuid);
  const found = steps.find(({ name }) => name === step);
  if (found !== undefined) return `${path}/${shown(found["step_uuid"])}`;
  const names = steps.map(({ name }) => shown(name));
  const near = nearestName(step, names);
  const known =
    names.length === 0
      ? "there is no such task, or it has no steps"
      : `its steps: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`;
  const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
  const message = `Task ${taskUuid} has no step \`${printable(step)}\`${hint}; ${known}`;
  throw new CliError("STEP_NOT_FOUND", EXIT.failed, message, { task_uuid: taskUuid });
}
