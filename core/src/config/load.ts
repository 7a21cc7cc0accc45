import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { ConfigError } from "../errors/index.js";
import { deepMerge, isTable, type PlainTable } from "../lib/deep-merge.js";
import { variableProblem } from "./allowed-variables.js";
import { ENVIRONMENT_KEYS } from "./environment-keys.js";
import type { Environment } from "./interpolate.js";
import { placeOf } from "./locate-keys.js";
import { type ConfigProblem, formatProblem } from "./problem.js";
import type { TomlFile } from "./read-toml.js";
import type { Config } from "./schema/index.js";
import { componentFiles, mergeFiles, sourceDirectory, withDotEnv } from "./sources.js";
import { type ValueProblem, validateConfig } from "./validate.js";

export interface LoadConfigOptions {
  /** One merged TOML file; default `TASKER_CONFIG_PATH`. */
  readonly path?: string;
  readonly env: Environment;
  /** Where `.env` and `config/tasker` are looked for; default the process's. */
  readonly workingDirectory?: string;
  /** Wins over files and environment: what a command line says. */
  readonly overrides?: PlainTable;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The files that were read, in order; empty means built-in defaults. */
  readonly sources: readonly string[];
  readonly warnings: readonly ConfigProblem[];
  /** `env` with `.env` below it: what the rest of the process reads variables from. */
  readonly env: Environment;
}

/**
 * Reads the configuration: one merged file, else the component files of `config/tasker`, else the built-in
 * defaults; below them variables (see environment-keys.ts), above them `LOG_LEVEL` and `overrides`.
 *
 * @throws ConfigError CONFIG_INVALID listing every problem, one `file:line:column: message` per line;
 *   `context.problems` has them as {@link ConfigProblem}s
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const workingDirectory = options.workingDirectory ?? process.cwd();
  const env = withDotEnv(options.env, workingDirectory);
  const files = configFiles(options.path ?? env["TASKER_CONFIG_PATH"], env, workingDirectory);
  const { value, read } = mergeFiles(files, env);
  const errors = read.flatMap((file) => file.errors);
  const warnings = read.flatMap((file) => file.warnings);

  const environment = environmentValues(env, value);
  errors.push(...environment.errors);
  const layers = [environment.value, value, logLevel(env), options.overrides ?? {}];
  const merged = layers.reduce((below, layer) => deepMerge(below, layer), {});
  const validation = validateConfig(merged);
  errors.push(...validation.errors.map((problem) => located(problem, read)));
  warnings.push(...validation.unknown.map((problem) => located(problem, read)));

  if (validation.config === null || errors.length > 0) throw unusable(errors, warnings);
  return { config: validation.config, sources: files, warnings, env };
}

/** Warnings are listed too: a misspelt key often explains the error beside it. */
function unusable(errors: ConfigProblem[], warnings: readonly ConfigProblem[]): ConfigError {
  const problems = errors.toSorted(
    (left, right) =>
      (left.file ?? "").localeCompare(right.file ?? "") || (left.line ?? 0) - (right.line ?? 0),
  );
  const lines = problems
    .map(formatProblem)
    .concat(warnings.map((warning) => `${formatProblem(warning)} (warning)`));
  const list = lines.map((line) => `\n  ${line}`).join("");
  return new ConfigError("CONFIG_INVALID", `the configuration cannot be used:${list}`, {
    context: { problems },
  });
}

function configFiles(
  path: string | undefined,
  env: Environment,
  workingDirectory: string,
): string[] {
  if (path !== undefined && path !== "") {
    const file = resolve(workingDirectory, path);
    if (existsSync(file)) return [file];
    const message = `the configuration file ${file} does not exist; it is named by TASKER_CONFIG_PATH or --config`;
    throw new ConfigError("CONFIG_INVALID", message, { context: { file } });
  }
  const directory = sourceDirectory(env, workingDirectory);
  if (directory === null) return [];
  return componentFiles(directory, env["TASKER_ENV"] ?? "development", "complete");
}

/** Values of the variables that stand in for keys which no file has. */
function environmentValues(
  env: Environment,
  written: PlainTable,
): { value: PlainTable; errors: ConfigProblem[] } {
  const errors = new Map<string, ConfigProblem>();
  let value: PlainTable = {};
  for (const [path, name] of Object.entries(ENVIRONMENT_KEYS)) {
    const content = env[name];
    if (content === undefined || isWritten(written, path)) continue;
    const message = variableProblem(name, content);
    if (message !== null) errors.set(name, { file: null, line: null, column: null, message });
    value = deepMerge(value, nested(path.split("."), content));
  }
  return { value, errors: [...errors.values()] };
}

/**
 * `LOG_LEVEL`, else the bare level of `RUST_LOG`, where `target=level` parts may stand beside it. Unlike
 * the other variables it wins over files: it is what one sets for a single run.
 */
function logLevel(env: Environment): PlainTable {
  const words = [env["LOG_LEVEL"] ?? "", ...(env["RUST_LOG"] ?? "").split(",")];
  const level = words
    .map((word) => word.trim().toLowerCase())
    .find((word) => /^(?:trace|debug|info|warn|error)$/.test(word));
  return level === undefined ? {} : { logging: { level } };
}

function isWritten(table: PlainTable, path: string): boolean {
  let value: unknown = table;
  for (const key of path.split(".")) {
    if (!isTable(value) || !Object.hasOwn(value, key)) return false;
    value = value[key];
  }
  return true;
}

function nested(path: readonly string[], value: unknown): PlainTable {
  const [key = "", ...rest] = path;
  return { [key]: rest.length === 0 ? value : nested(rest, value) };
}

/** The last file that says something about the path is the one that counts. */
export function located(
  { path, message }: ValueProblem,
  files: readonly TomlFile[],
): ConfigProblem {
  const written = files.findLast((file) =>
    isWritten(file.value, path.replace(/\.\d+(?=\.|$).*/, "")),
  );
  const place = written === undefined ? null : placeOf(written.places, path);
  return {
    file: written?.file ?? null,
    line: place?.line ?? null,
    column: place?.column ?? null,
    message,
  };
}
