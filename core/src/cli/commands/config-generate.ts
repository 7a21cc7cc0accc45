import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { stringify } from "yaml";
import {
  type ConfigContext,
  componentFiles,
  configKeys,
  mergeFiles,
  withDotEnv,
  writeToml,
} from "../../config/index.js";
import { messageOf } from "../../errors/index.js";
import { isTable, type PlainTable } from "../../lib/deep-merge.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { requireSources } from "../config-sources.js";
import { EXIT } from "../exit-codes.js";
import { checkFiles, unusableFiles } from "./config-validate.js";

export interface ConfigGenerateOptions {
  readonly context: ConfigContext;
  readonly environment: string;
  readonly output: string;
  readonly sourceDir: string;
  readonly validate?: boolean;
}

/** `tasker config generate`: base and overlay of a source tree as the one file that a server reads. */
export async function configGenerate(
  context: CommandContext,
  options: ConfigGenerateOptions,
): Promise<number> {
  const { output, env, workingDirectory } = context;
  const directory = requireSources(workingDirectory, options);
  const files = componentFiles(directory, options.environment, options.context);
  // Placeholders stay: the file is made where it is built, and read where the variables are.
  const { value, read } = mergeFiles(files, null);
  const broken = read.flatMap(({ errors }) => errors);
  if (broken.length > 0) throw unusableFiles(broken);
  if (options.validate === true) {
    const { errors } = checkFiles(files, withDotEnv(env, workingDirectory));
    if (errors.length > 0) throw unusableFiles(errors);
  }
  const file = resolve(workingDirectory, options.output);
  const head = `# ${options.context} for ${options.environment}, made by \`tasker config generate\` from ${options.sourceDir}.\n\n`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, head + writeToml(value));
  } catch (error) {
    const message = `The file ${file} cannot be written: ${messageOf(error)}`;
    throw new CliError("OUTPUT_NOT_WRITTEN", EXIT.usage, message);
  }
  output.print("Configuration generated successfully!");
  output.print(`  file     ${options.output}`);
  output.print(`  sources  ${files.length} files of ${options.sourceDir}`);
  output.json({ file: options.output, sources: files });
  return EXIT.ok;
}

export interface ConfigDumpOptions {
  readonly context?: ConfigContext;
  readonly environment?: string;
  readonly sourceDir: string;
  readonly path?: string;
  readonly format: "json" | "toml" | "yaml";
}

/** `tasker config dump`: what `generate` would write, or a file, in another notation. */
export async function configDump(
  context: CommandContext,
  options: ConfigDumpOptions,
): Promise<number> {
  const { output, workingDirectory } = context;
  const { value, read } = mergeFiles(filesOf(workingDirectory, options), null);
  const broken = read.flatMap(({ errors }) => errors);
  if (broken.length > 0) throw unusableFiles(broken);
  const secrets = new Set(configKeys().flatMap(({ path, isSecret }) => (isSecret ? [path] : [])));
  const shown = redact(value, "", secrets) as PlainTable;
  const texts = {
    json: () => `${JSON.stringify(shown, null, 2)}\n`,
    toml: () => writeToml(shown),
    yaml: () => stringify(shown),
  };
  output.raw(texts[options.format]());
  return EXIT.ok;
}

function filesOf(workingDirectory: string, options: ConfigDumpOptions): string[] {
  if (options.path !== undefined) return [resolve(workingDirectory, options.path)];
  const { context, environment, sourceDir } = options;
  if (context === undefined || environment === undefined) {
    const message = "config dump needs --context and --environment, or --path with a merged file";
    throw new CliError("USAGE", EXIT.usage, message);
  }
  return componentFiles(
    requireSources(workingDirectory, { sourceDir, environment }),
    environment,
    context,
  );
}

/** Placeholders say nothing secret; what stands in the file does. */
function redact(value: unknown, path: string, secrets: ReadonlySet<string>): unknown {
  if (isTable(value)) {
    const members = Object.entries(value).map(([key, member]) => [
      key,
      redact(member, path === "" ? key : `${path}.${key}`, secrets),
    ]);
    return Object.fromEntries(members);
  }
  if (Array.isArray(value)) {
    return value.map((item) => (isTable(item) && "key" in item ? { ...item, key: HIDDEN } : item));
  }
  const isHidden = secrets.has(path) && typeof value === "string" && value !== "";
  return isHidden && !/^\$\{[A-Z_]+(?::-)?\}$/.test(value) ? HIDDEN : value;
}

const HIDDEN = "[redacted]";
