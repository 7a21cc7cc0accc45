import type { TaskTemplate } from "../../model/index.js";
import { templateOptions } from "../../templates/index.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { loadUsableTemplate } from "../load-templates.js";
import { printable } from "../terminal.js";

interface Change {
  /** `steps.charge.retry.max_attempts` */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** `tasker template diff <before> <after>`: what differs in meaning; exit code 1 when something does. */
export async function templateDiff(
  context: CommandContext,
  _options: object,
  [before = "", after = ""]: readonly string[],
): Promise<number> {
  const { output, workingDirectory } = context;
  const options = templateOptions(loadCommandConfig(context).config);
  const [old, fresh] = await Promise.all(
    [before, after].map((file) => loadUsableTemplate(file, workingDirectory, options)),
  );
  const changes = differences(comparable(old?.template), comparable(fresh?.template), "");
  const { palette } = output;
  for (const { path, before: was, after: is } of changes) {
    if (was === undefined) output.print(palette.green(`+ ${path}: ${text(is)}`));
    else if (is === undefined) output.print(palette.red(`- ${path}: ${text(was)}`));
    else output.print(palette.yellow(`~ ${path}: ${text(was)} -> ${text(is)}`));
  }
  if (changes.length === 0) output.print("The templates say the same.");
  output.json({
    changes: changes.map((change) => ({
      path: change.path,
      before: change.before ?? null,
      after: change.after ?? null,
    })),
  });
  return changes.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Steps by name: their order in the file means nothing. */
function comparable(template: TaskTemplate | undefined): unknown {
  if (template === undefined) return {};
  const plain = JSON.parse(JSON.stringify(template)) as { steps: { name: string }[] };
  return {
    ...plain,
    steps: Object.fromEntries(plain.steps.map(({ name, ...step }) => [name, step])),
  };
}

function differences(before: unknown, after: unknown, path: string): Change[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isTable(before) || !isTable(after)) return [{ path, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) =>
    differences(before[key], after[key], path === "" ? key : `${path}.${key}`),
  );
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return printable(JSON.stringify(value));
}
