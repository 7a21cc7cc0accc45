import { isTaskDefinition } from "../definitions/task-definition.js";

/** The templates of tasks that a module exports, alone or in arrays, in the shape of YAML files. */
export function collectTemplates(
  module: Readonly<Record<string, unknown>>,
): Record<string, unknown>[] {
  const tasks = Object.values(module).flat(1).filter(isTaskDefinition);
  return [...new Set(tasks)].map((task) => task.toTemplate());
}
