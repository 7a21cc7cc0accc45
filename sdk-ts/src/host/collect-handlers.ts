import { isTaskDefinition } from "../definitions/task-definition.js";
import { isStepHandlerClass, type StepHandlerClass } from "../handler.js";

const ARRAY_EXPORTS = ["ALL_EXAMPLE_HANDLERS", "ALL_DSL_HANDLERS"];

/**
 * The handlers a module exports, each once. Arrays named `ALL_EXAMPLE_HANDLERS` or `ALL_DSL_HANDLERS` are its
 * own selection; without them every export counts: a handler, or an array of handlers, under any name.
 * A task defined in code brings the handlers of its steps.
 */
export function collectHandlers(module: Readonly<Record<string, unknown>>): StepHandlerClass[] {
  const selected = ARRAY_EXPORTS.map((name) => module[name]).filter(Array.isArray);
  const exported = selected.length > 0 ? selected : Object.values(module);
  const handlers = exported
    .flat(1)
    .flatMap((value) => (isTaskDefinition(value) ? value.handlers : value));
  return [...new Set(handlers.filter(isStepHandlerClass))];
}
