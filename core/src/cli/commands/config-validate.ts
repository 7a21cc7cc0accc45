import { resolve } from "node:path";
import {
  type ConfigContext,
  type ConfigProblem,
  componentFiles,
  configKeys,
  formatProblem,
  located,
  mergeFiles,
  validateConfig,
  withDotEnv,
} from "../../config/index.js";
import { isTaskerError } from "../../errors/index.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { requireSources } from "../config-sources.js";
import { EXIT } from "../exit-codes.js";

export interface ConfigValidateOptions {
  /** A merged file. */
  readonly config?: string;
  readonly context?: ConfigContext;
  readonly strict?: boolean;
  readonly explainErrors?: boolean;
}

/** `tasker config validate`: exit code 1 when there are errors. */
export async function configValidate(
  context: CommandContext,
  options: ConfigValidateOptions,
): Promise<number> {
  const { env, workingDirectory } = context;
  if (options.config !== undefined) {
    const file = resolve(workingDirectory, options.config);
    return report(context, options, checkFiles([file], withDotEnv(env, workingDirectory)));
  }
  return report(context, options, checkLoaded(context));
}

export interface ValidateSourcesOptions {
  readonly context: ConfigContext;
  readonly environment: string;
  readonly sourceDir: string;
  readonly strict?: boolean;
  readonly explainErrors?: boolean;
}

/** `tasker config validate-sources` */
export async function validateSources(
  context: CommandContext,
  options: ValidateSourcesOptions,
): Promise<number> {
  const { env, workingDirectory } = context;
  const directory = requireSources(workingDirectory, options);
  const files = componentFiles(directory, options.environment, options.context);
  return report(context, options, checkFiles(files, withDotEnv(env, workingDirectory)));
}

interface Checked {
  readonly files: readonly string[];
  readonly errors: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

/** Files on their own, without the variables that stand in for keys. */
export function checkFiles(
  files: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Checked {
  const { value, read } = mergeFiles(files, env);
  const { errors, unknown } = validateConfig(value);
  return {
    files,
    errors: [...read.flatMap((file) => file.errors), ...errors.map((each) => located(each, read))],
    warnings: [
      ...read.flatMap((file) => file.warnings),
      ...unknown.map((each) => located(each, read)),
    ],
  };
}

/** What a server would read here. */
function checkLoaded(context: CommandContext): Checked {
  try {
    const { sources, warnings } = loadCommandConfig({ ...context, output: context.output.muted() });
    return { files: sources, errors: [], warnings };
  } catch (error) {
    if (!isTaskerError(error, "CONFIG_INVALID")) throw error;
    const problems = error.context["problems"];
    if (!Array.isArray(problems)) throw error;
    return { files: [], errors: problems as ConfigProblem[], warnings: [] };
  }
}

function report(
  { output, workingDirectory }: CommandContext,
  options: { readonly strict?: boolean; readonly explainErrors?: boolean },
  { files, errors, warnings }: Checked,
): number {
  const isValid = errors.length === 0 && (options.strict !== true || warnings.length === 0);
  const problems = [
    ...errors.map((problem) => ({ ...problem, severity: "error" })),
    ...warnings.map((problem) => ({
      ...problem,
      severity: options.strict === true ? "error" : "warning",
    })),
  ];
  const near = (file: string | null): string | null =>
    file === null ? null : file.replace(`${workingDirectory}/`, "");
  for (const problem of problems) {
    const { severity, message } = problem;
    const place = { ...problem, file: near(problem.file), message: `${severity}: ${message}` };
    output.print(formatProblem(place));
    if (options.explainErrors === true) for (const line of explained(message)) output.print(line);
  }
  if (isValid) {
    const read = files.length === 0 ? "the built-in defaults" : files.map(near).join(", ");
    output.print(`The configuration is valid: ${read}`);
  }
  output.json({ valid: isValid, files, problems });
  return isValid ? EXIT.ok : EXIT.failed;
}

/** What the key of a message is for. */
function explained(message: string): string[] {
  const path = /`([a-z_.0-9]+)`/.exec(message)?.[1];
  const key = configKeys().find((candidate) => candidate.path === path);
  if (key === undefined) return [];
  const note = key.note === null ? "" : `: ${key.note}`;
  const value = key.isSecret ? "" : `, default ${JSON.stringify(key.default)}`;
  return [`    ${key.path}${note}; ${key.accepts}${value}`];
}

export function unusableFiles(errors: readonly ConfigProblem[]): CliError {
  const list = errors.map((problem) => `\n  ${formatProblem(problem)}`).join("");
  return new CliError("CONFIG_INVALID", EXIT.usage, `The configuration cannot be used:${list}`, {
    problems: errors,
  });
}
