import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { deepMerge, type PlainTable } from "../lib/deep-merge.js";
import type { Environment } from "./interpolate.js";
import { readTomlFile, type TomlFile } from "./read-toml.js";

export const COMPONENTS = ["common", "orchestration", "worker"] as const;
export type Component = (typeof COMPONENTS)[number];

/** Which components a merged file has: `orchestration` and `worker` include `common`. */
export const CONTEXTS = ["common", "orchestration", "worker", "complete"] as const;
export type ConfigContext = (typeof CONTEXTS)[number];

/**
 * The component files of a source tree that exist, base before environment:
 * `<dir>/base/<component>.toml`, then `<dir>/environments/<environment>/<component>.toml`.
 */
export function componentFiles(
  sourceDirectory: string,
  environment: string,
  context: ConfigContext,
): string[] {
  const components = COMPONENTS.filter(
    (component) => component === "common" || context === "complete" || component === context,
  );
  return [join(sourceDirectory, "base"), join(sourceDirectory, "environments", environment)]
    .flatMap((folder) => components.map((component) => join(folder, `${component}.toml`)))
    .filter((file) => existsSync(file));
}

/** Reads and merges files in order; later ones win key by key. */
export function mergeFiles(
  files: readonly string[],
  env: Environment | null,
): { value: PlainTable; read: TomlFile[] } {
  const read = files.map((file) => readTomlFile(file, env));
  const value = read.reduce<PlainTable>((merged, file) => deepMerge(merged, file.value), {});
  return { value, read };
}

/** Where component files are: `$TASKER_CONFIG_ROOT/tasker`, `$TASKER_CONFIG_ROOT`, or `config/tasker`. */
export function sourceDirectory(env: Environment, workingDirectory: string): string | null {
  const root = env["TASKER_CONFIG_ROOT"];
  const candidates = root
    ? [join(resolve(workingDirectory, root), "tasker"), resolve(workingDirectory, root)]
    : [join(workingDirectory, "config", "tasker")];
  return candidates.find((directory) => existsSync(join(directory, "base"))) ?? null;
}

/** The environment with `.env` of the working directory below it: variables that exist are kept. */
export function withDotEnv(env: Environment, workingDirectory: string): Environment {
  const file = join(workingDirectory, ".env");
  if (!existsSync(file)) return env;
  return { ...parseEnv(readFileSync(file, "utf8")), ...env };
}
