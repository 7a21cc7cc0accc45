import { CliError } from "../cli-error.js";
import { listOf, objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderStates } from "../render/state-graph.js";
import { taskArgument } from "../uuid-argument.js";
import { writeOutput } from "../write-file.js";

export interface TaskVisualizeOptions {
  readonly format: string;
  readonly baseUrl?: string;
  readonly output?: string;
  readonly graphOnly?: boolean;
}

/** `tasker task visualize <uuid>`: from the task's summary. */
export async function taskVisualize(
  context: CommandContext,
  { format, baseUrl, output: file, graphOnly = false }: TaskVisualizeOptions,
  [task = ""]: readonly string[],
): Promise<number> {
  if (format !== "mermaid" && format !== "json") {
    throw new CliError("USAGE", EXIT.usage, `--format ${format}: expected mermaid or json`);
  }
  const taskUuid = taskArgument(task);
  const summary = await withApi(context, async (api) =>
    objectOf(await api.call("GET", `/v1/tasks/${taskUuid}/summary`, { intent: "draw the task" })),
  );
  const { output, workingDirectory } = context;
  if (format === "json") {
    const text = `${JSON.stringify(summary, null, 2)}\n`;
    if (file === undefined) output.raw(text);
    else writeOutput(workingDirectory, file, text);
    return EXIT.ok;
  }
  const graph = renderStates(
    listOf(objectOf(summary["template"])["steps"]),
    listOf(summary["steps"]),
  );
  const head = objectOf(summary["task"]);
  const title = `${shown(head["namespace"])}/${shown(head["name"])} ${shown(head["version"])}`;
  const link =
    baseUrl === undefined
      ? taskUuid
      : `[${taskUuid}](${baseUrl.replace(/\/$/, "")}/v1/tasks/${taskUuid})`;
  const text = graphOnly
    ? graph
    : `# ${title}\n\nTask ${link}: ${shown(head["status"])}\n\n\`\`\`mermaid\n${graph}\`\`\`\n`;
  if (file === undefined)
    output.raw(output.isJson ? `${JSON.stringify({ mermaid: text })}\n` : text);
  else {
    writeOutput(workingDirectory, file, text);
    output.print(`Wrote ${file}`);
    output.json({ file });
  }
  return EXIT.ok;
}
