import { listTasks, type TaskFilter } from "../../lifecycle/task-queries.js";
import { parseTaskState, TASK_STATES } from "../../state-machine/index.js";
import { CliError } from "../cli-error.js";
import { serverApi } from "../client/open-api.js";
import { remoteList } from "../client/remote-tasks.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { taskJson } from "../task-report.js";
import { withPool } from "../with-pool.js";

/** `tasker task list` */
export async function taskList(context: CommandContext, filter: TaskFilter): Promise<number> {
  const { output } = context;
  const { namespace, limit } = filter;
  const status = filter.status === undefined ? undefined : parseTaskState(filter.status);
  if (filter.status !== undefined && status === undefined) {
    throw new CliError(
      "USAGE",
      EXIT.usage,
      `\`${filter.status}\` is not a task state; expected one of ${TASK_STATES.join(", ")}`,
    );
  }
  const api = serverApi(context);
  if (api !== null) return await remoteList(context, api, { namespace, status, limit });
  const tasks = await withPool(context, { needsSchema: true }, (pool) =>
    listTasks(pool, { namespace, status, limit }),
  );
  output.json({ tasks: tasks.map(taskJson) });
  if (tasks.length === 0) output.print("No tasks.");
  else {
    const rows = tasks.map((task) => [
      task.task_uuid,
      task.status,
      `${task.completed_steps}/${task.total_steps}`,
      `${task.namespace}/${task.name} ${task.version}`,
      task.created_at.toISOString(),
    ]);
    output.print(
      renderTable([["TASK", "STATUS", "STEPS", "TEMPLATE", "CREATED"], ...rows]).join("\n"),
    );
  }
  return EXIT.ok;
}
