import { type ConfigContext, type ConfigKey, configKeys, loadConfig } from "../../config/index.js";
import { isTable } from "../../lib/deep-merge.js";
import { Secret } from "../../lib/secret.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";
import { unknownKey } from "./config-show.js";

export interface ConfigExplainOptions {
  readonly parameter?: string;
  readonly context?: ConfigContext;
  readonly environment?: string;
}

/** `tasker config explain [key]`: one key in full, or those of a table or context as a list. */
export async function configExplain(
  context: CommandContext,
  options: ConfigExplainOptions,
  [argument]: readonly string[],
): Promise<number> {
  const { output } = context;
  const wanted = argument ?? options.parameter;
  const keys = configKeys().filter(({ path }) => isOf(path, options.context));
  const found = wanted === undefined ? keys : keys.filter(({ path }) => isBelow(path, wanted));
  if (wanted !== undefined && found.length === 0) throw unknownKey(wanted);
  const values = currentValues(context, options);
  const described = found.map((key) => ({ ...key, value: valueAt(values, key) }));
  output.json({ keys: described });
  const [only] = described;
  if (described.length === 1 && only !== undefined) printOne(context, only);
  else {
    const rows = described.map(({ path, value, accepts }) => [path, shown(value), accepts]);
    output.print(renderTable([["KEY", "VALUE", "ACCEPTS"], ...rows]).join("\n"));
  }
  return EXIT.ok;
}

function printOne({ output }: CommandContext, key: ConfigKey & { readonly value: unknown }): void {
  const { palette } = output;
  output.print(palette.bold(key.path));
  if (key.note !== null) output.print(`  ${key.note}`);
  output.print(`  accepts   ${key.accepts}`);
  output.print(`  default   ${key.isSecret ? "a secret" : shown(key.default)}`);
  output.print(`  here      ${shown(key.value)}`);
  if (key.variable !== null) output.print(`  variable  ${key.variable}, where no file has the key`);
}

function isBelow(path: string, wanted: string): boolean {
  return path === wanted || path.startsWith(`${wanted}.`);
}

/** `orchestration` and `worker` include `common`; our own tables belong to all. */
function isOf(path: string, context: ConfigContext | undefined): boolean {
  const [root] = path.split(".");
  const others = ["orchestration", "worker"].filter((name) => name !== context);
  return context === undefined || context === "complete" || !others.includes(root ?? "");
}

function currentValues(context: CommandContext, options: ConfigExplainOptions): unknown {
  const { env, workingDirectory, global } = context;
  const variables =
    options.environment === undefined ? env : { ...env, TASKER_ENV: options.environment };
  const path = global.config === undefined ? {} : { path: global.config };
  return loadConfig({ ...path, env: variables, workingDirectory }).config;
}

function valueAt(root: unknown, { path }: ConfigKey): unknown {
  let value: unknown = root;
  for (const key of path.split(".")) value = isTable(value) ? value[key] : undefined;
  return value instanceof Secret ? (value.isEmpty ? "" : value.toString()) : (value ?? null);
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? "-";
}
