import { stringifyJson } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";
import type { TaskTemplate } from "./template.js";

/** The text for `named_tasks.configuration`; numbers keep their kind (`1.0` stays `1.0`). */
export function templateToJson(template: TaskTemplate): string {
  return stringifyJson(template);
}

/**
 * Reads a stored configuration. Pass the column as text (`configuration::text`): a driver that parses
 * jsonb has already turned `1.0` into `1`. The text is trusted to be what {@link templateToJson} wrote.
 */
export function templateFromJson(text: string): TaskTemplate {
  return parseJson(text) as unknown as TaskTemplate;
}
