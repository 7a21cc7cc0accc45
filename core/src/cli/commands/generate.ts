import { basename, dirname, extname, join } from "node:path";
import { nearestName } from "../../lib/nearest-name.js";
import type { StepDefinition, TaskTemplate } from "../../model/index.js";
import { templateOptions } from "../../templates/index.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { loadUsableTemplate } from "../load-templates.js";
import { handlerCode, handlerFile, testCode, testFile } from "../scaffold/handler-code.js";
import type { Language } from "../scaffold/project-files.js";
import { type NamedSchema, pascalCase, typesOf } from "../scaffold/schema-types.js";
import { printable } from "../terminal.js";
import { writeOutput } from "../write-file.js";

interface FromTemplate {
  readonly template: string;
  readonly language: Language;
}

export interface GenerateOptions extends FromTemplate {
  readonly output?: string;
  readonly step: readonly string[];
  readonly withTests?: boolean;
}

/** `tasker generate types` */
export async function generateTypes(
  context: CommandContext,
  options: GenerateOptions,
): Promise<number> {
  const template = await loadTemplate(context, options);
  const schemas = schemasOf(template, chosen(template, options.step), options.step.length === 0);
  if (schemas.length === 0) {
    const message = `${options.template} has no schemas: write input_schema, or result_schema of a step`;
    throw new CliError("NO_SCHEMAS", EXIT.failed, message);
  }
  return answer(context, options.output, typesOf(schemas, options.language));
}

/** `tasker generate handler` */
export async function generateHandler(
  context: CommandContext,
  options: GenerateOptions,
): Promise<number> {
  const template = await loadTemplate(context, options);
  const steps = chosen(template, options.step);
  const { language, output: file } = options;
  if (options.withTests !== true) return answer(context, file, handlerCode(steps, language));
  if (file === undefined) {
    throw new CliError(
      "USAGE",
      EXIT.usage,
      "--with-tests needs --output: the test stands beside it",
    );
  }
  const { workingDirectory, output } = context;
  const test = join(dirname(file), testFile(template, language));
  writeOutput(workingDirectory, file, handlerCode(steps, language), { overwrite: false });
  const text = testCode(steps, language, moduleOf(file, language));
  writeOutput(workingDirectory, test, text, { overwrite: false });
  output.print(`Wrote ${file}`);
  output.print(`Wrote ${test}`);
  output.json({ files: [file, test] });
  return EXIT.ok;
}

export interface ScaffoldOptions extends FromTemplate {
  readonly outputDir: string;
}

/** `tasker generate scaffold` */
export async function generateScaffold(
  context: CommandContext,
  options: ScaffoldOptions,
): Promise<number> {
  const { output, workingDirectory } = context;
  const { language, outputDir } = options;
  const template = await loadTemplate(context, options);
  const { steps } = template;
  const handlers = join(outputDir, handlerFile(template, language));
  const extension = { typescript: ".ts", python: ".py", ruby: ".rb" }[language];
  const files: [string, string][] = [
    [handlers, handlerCode(steps, language)],
    [
      join(outputDir, testFile(template, language)),
      testCode(steps, language, moduleOf(handlers, language)),
    ],
  ];
  const schemas = schemasOf(template, steps, true);
  if (schemas.length > 0) {
    files.push([
      join(outputDir, `${basename(handlers, extension)}_types${extension}`),
      typesOf(schemas, language),
    ]);
  }
  for (const [file, text] of files) {
    writeOutput(workingDirectory, file, text, { overwrite: false });
    output.print(`Wrote ${file}`);
  }
  output.json({ files: files.map(([file]) => file) });
  return EXIT.ok;
}

async function loadTemplate(
  context: CommandContext,
  { template: file }: FromTemplate,
): Promise<TaskTemplate> {
  const options = templateOptions(loadCommandConfig(context).config);
  return (await loadUsableTemplate(file, context.workingDirectory, options)).template;
}

function schemasOf(
  template: TaskTemplate,
  steps: readonly StepDefinition[],
  withInput: boolean,
): NamedSchema[] {
  const { input_schema: input } = template;
  return [
    ...(withInput && input !== null
      ? [{ name: `${pascalCase(template.name)}Input`, schema: input }]
      : []),
    ...steps.flatMap(({ name, result_schema: schema }) =>
      schema == null ? [] : [{ name: `${pascalCase(name)}Result`, schema }],
    ),
  ];
}

function chosen(template: TaskTemplate, names: readonly string[]): readonly StepDefinition[] {
  const known = template.steps.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const near = nearestName(unknown, known);
    const hint = near === null ? "" : ` (did you mean \`${near}\`?)`;
    const message = `The template has no step \`${printable(unknown)}\`${hint}: there are ${known.join(", ")}`;
    throw new CliError("STEP_NOT_FOUND", EXIT.usage, message);
  }
  return names.length === 0
    ? template.steps
    : template.steps.filter(({ name }) => names.includes(name));
}

function answer(
  { output, workingDirectory }: CommandContext,
  file: string | undefined,
  text: string,
): number {
  if (file !== undefined) {
    writeOutput(workingDirectory, file, text);
    output.print(`Wrote ${file}`);
    output.json({ file });
  } else if (output.isJson) output.json({ code: text });
  else output.raw(text);
  return EXIT.ok;
}

/** How a test beside the file imports it. */
function moduleOf(file: string, language: Language): string {
  const name = basename(file, extname(file));
  return { typescript: `./${name}.js`, python: name, ruby: name }[language];
}
