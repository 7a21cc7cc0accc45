import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderFields } from "../render/fields.js";
import { prettyJson } from "../render/pretty-json.js";
import { renderTable } from "../render/table.js";
import { type Api, listOf, objectOf, shown } from "./api.js";
import { stepPath, stepsOf } from "./steps.js";

// `task get, list, cancel` and the actions on steps when they speak to a server. Their JSON is the server's own answer.

const TASK_FIELDS = [
  ...["task_uuid", "namespace", "name", "version", "status", "execution_status", "priority"],
  ...["total_steps", "completed_steps", "failed_steps", "recommended_action", "health_status"],
  ...["initiator", "source_system", "reason", "correlation_id", "created_at", "updated_at"],
];

export async function remoteGet(
  { output }: CommandContext,
  api: Api,
  taskUuid: string,
): Promise<number> {
  const answer = await api.call("GET", `/v1/tasks/${taskUuid}`, { intent: "read the task" });
  const task = objectOf(answer);
  output.json(task);
  if (output.isJson) return EXIT.ok;
  const steps = (await stepsOf(api, taskUuid)).map((step) => [
    `  ${shown(step["name"])}`,
    shown(step["current_state"]),
    `attempt ${shown(step["attempts"])} of ${shown(step["max_attempts"])}`,
    shown(objectOf(objectOf(step["results"])["error"])["message"]),
  ]);
  const { palette } = output;
  output.print(palette.bold(`Task ${taskUuid}`));
  output.print(renderFields(task, TASK_FIELDS, palette).join("\n"));
  output.print(palette.bold("Steps"));
  output.print(renderTable(steps).join("\n"));
  output.print(palette.bold("Input"));
  output.print(prettyJson(task["context"] ?? null));
  return EXIT.ok;
}

export async function remoteList(
  { output }: CommandContext,
  api: Api,
  filter: {
    readonly namespace?: string | undefined;
    readonly status?: string | undefined;
    readonly limit: number;
  },
): Promise<number> {
  const answer = objectOf(
    await api.call("GET", "/v1/tasks", {
      // The server's pages are that long at most.
      query: {
        namespace: filter.namespace,
        status: filter.status,
        page: 1,
        per_page: Math.min(filter.limit, 100),
      },
      intent: "list the tasks",
    }),
  );
  const tasks = listOf(answer["tasks"]);
  output.json(answer);
  if (tasks.length === 0) output.print("No tasks.");
  else {
    const rows = tasks.map((task) => [
      shown(task["task_uuid"]),
      shown(task["status"]),
      `${shown(task["completed_steps"])}/${shown(task["total_steps"])}`,
      `${shown(task["namespace"])}/${shown(task["name"])} ${shown(task["version"])}`,
      shown(task["created_at"]),
    ]);
    output.print(
      renderTable([["TASK", "STATUS", "STEPS", "TEMPLATE", "CREATED"], ...rows]).join("\n"),
    );
  }
  return EXIT.ok;
}

export async function remoteCancel(
  { output }: CommandContext,
  api: Api,
  taskUuid: string,
): Promise<number> {
  const answer = await api.call("DELETE", `/v1/tasks/${taskUuid}`, { intent: "cancel the task" });
  output.print("Task cancelled successfully!");
  output.print(`  task      ${taskUuid}: now ${shown(objectOf(answer)["status"])}`);
  output.json(answer);
  return EXIT.ok;
}

export async function remoteStepAction(
  { output }: CommandContext,
  api: Api,
  [task, step]: readonly [string, string],
  done: string,
  body: Readonly<Record<string, unknown>>,
): Promise<number> {
  const path = await stepPath(api, task, step);
  const answer = await api.call("PATCH", path, { body, intent: `have the step ${done}` });
  output.print(`Step ${done} successfully!`);
  output.print(
    `  step      ${shown(objectOf(answer)["name"])}: now ${shown(objectOf(answer)["current_state"])}`,
  );
  output.json(answer);
  return EXIT.ok;
}
