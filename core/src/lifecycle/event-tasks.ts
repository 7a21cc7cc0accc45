import { type LoadedTask, loadTasks } from "../db/functions/index.js";
import type { Queryable } from "../db/index.js";
import type { EventTask } from "./events/index.js";
import type { RuntimeTemplate } from "./runtime-template.js";
import type { TaskCreation } from "./task-initializer.js";
import type { TemplateRegistry } from "./template-registry.js";

/** What events say about tasks that are in the database; a task that is not there any more is left out. */
export async function loadEventTasks(
  db: Queryable,
  templates: TemplateRegistry,
  taskIds: readonly bigint[],
): Promise<Map<bigint, EventTask>> {
  const rows = await loadTasks(db, taskIds);
  await templates.ensure(rows.map((row) => row.template_id));
  return new Map(rows.map((row) => [row.task_id, eventTask(row, templates.get(row.template_id))]));
}

/** The same of a task that has just been created. */
export function createdTask({ task, template }: TaskCreation): Omit<EventTask, "createdAt"> {
  return {
    taskUuid: task.taskUuid,
    correlationId: task.correlationId,
    namespace: template.namespace,
    name: template.name,
    version: template.version,
    context: JSON.parse(Buffer.from(task.context).toString("utf8")) as Record<string, unknown>,
  };
}

function eventTask(row: LoadedTask, template: RuntimeTemplate | undefined): EventTask {
  return {
    taskUuid: row.task_uuid,
    correlationId: row.correlation_id,
    namespace: template?.namespace ?? "",
    name: template?.name ?? "",
    version: template?.version ?? "",
    createdAt: row.created_at,
    context: JSON.parse(row.context) as Record<string, unknown>,
  };
}
