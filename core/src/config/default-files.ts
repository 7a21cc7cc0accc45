import { isTable, type PlainTable } from "../lib/deep-merge.js";
import { Secret } from "../lib/secret.js";
import { ENVIRONMENT_KEYS } from "./environment-keys.js";
import type { Component } from "./sources.js";
import { defaultConfig } from "./validate.js";
import { writeToml } from "./write-toml.js";

/**
 * The text of `config/tasker/base/<component>.toml`: every key with its built-in default, keys that follow
 * a variable as `${VAR:-default}`. The files in the repository are this text; a test compares them.
 */
export function defaultFileText(component: Component): string {
  const { orchestration, worker, ...common } = defaultConfig();
  const tables = { common, orchestration: { orchestration }, worker: { worker } }[component];
  return `# Built-in defaults of the ${component} component. Change them in environments/<TASKER_ENV>/.\n\n${writeToml(plain(tables, "") as PlainTable)}`;
}

function plain(value: unknown, path: string): unknown {
  const content = value instanceof Secret ? value.reveal() : value;
  const variable = ENVIRONMENT_KEYS[path];
  if (variable !== undefined) return `\${${variable}:-${String(content)}}`;
  if (!isTable(content)) return content;
  return Object.fromEntries(
    Object.entries(content).map(([key, member]) => [
      key,
      plain(member, path === "" ? key : `${path}.${key}`),
    ]),
  );
}
