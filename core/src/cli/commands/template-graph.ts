import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "../../errors/index.js";
import { toMermaid } from "../../model/index.js";
import { templateOptions } from "../../templates/index.js";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { loadUsableTemplate } from "../load-templates.js";

export interface TemplateGraphOptions {
  readonly output?: string;
}

/** `tasker template graph <file>`: a Mermaid flowchart. */
export async function templateGraph(
  context: CommandContext,
  options: TemplateGraphOptions,
  [file = ""]: readonly string[],
): Promise<number> {
  const { output, workingDirectory } = context;
  const { config } = loadCommandConfig(context);
  const { template } = await loadUsableTemplate(file, workingDirectory, templateOptions(config));
  const graph = toMermaid(template);
  if (options.output !== undefined) {
    await write(resolve(workingDirectory, options.output), graph);
    output.print(`Wrote ${options.output}`);
    output.json({ file: options.output });
  } else if (output.isJson) output.json({ mermaid: graph });
  else output.raw(graph);
  return EXIT.ok;
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new CliError(
      "OUTPUT_NOT_WRITTEN",
      EXIT.usage,
      `The file ${path} cannot be written: ${messageOf(error)}`,
    );
  }
}
