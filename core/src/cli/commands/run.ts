import type { Engine } from "../../bootstrap.js";
import { newUuid } from "../../lib/uuid.js";
import type { CreatedTask } from "../../lifecycle/task-initializer.js";
import { JsonText } from "../../lifecycle/task-request.js";
import type { TaskTemplate } from "../../model/index.js";
import { formatDiagnostic, templateOptions } from "../../templates/index.js";
import { CliError } from "../cli-error.js";
import { type CommandContext, commandLogger, loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { followTasks } from "../follow-tasks.js";
import { type HandlerFlags, readHandlerFlags } from "../handler-flags.js";
import { loadUsableTemplate } from "../load-templates.js";
import { readInputs } from "../read-inputs.js";
import { createRunView, type RunView } from "../run-view.js";
import { type RunningEngine, startEngine } from "../start-engine.js";
import { listenForStop, type StopSignals } from "../stop-signals.js";

export interface RunOptions extends HandlerFlags {
  readonly input: string;
  readonly each?: boolean;
  readonly wait?: boolean;
  /** Seconds. */
  readonly timeout?: number;
  readonly idempotencyKey?: string;
}

/** `tasker run`: creates tasks from a template file; with `--wait` runs them here and shows them. */
export async function run(
  context: CommandContext,
  options: RunOptions,
  [file = ""]: readonly string[],
): Promise<number> {
  if (options.timeout !== undefined && options.wait !== true) {
    throw new CliError("USAGE", EXIT.usage, "--timeout says how long --wait waits: add --wait");
  }
  const { output, workingDirectory } = context;
  const loaded = loadCommandConfig(context);
  const { template, warnings } = await loadUsableTemplate(
    file,
    workingDirectory,
    templateOptions(loaded.config),
  );
  for (const warning of warnings) output.note(formatDiagnostic({ ...warning, file }));
  const inputs = await readInputs(options, context);
  const handlers = options.wait === true ? await readHandlerFlags(options, workingDirectory) : null;

  const view = createRunView(output);
  const stops = listenForStop(() => output.note("Stopping: steps that are running may finish."));
  try {
    const running = await startEngine(context, {
      loaded,
      logger: commandLogger(
        { ...context, writeLog: (line) => view.around(() => context.writeLog(line)) },
        loaded,
        "warn",
      ),
      templates: [template],
      handlers,
      signal: stops.signal,
    });
    try {
      return await runTasks(context, running, template, inputs, options, stops, view);
    } finally {
      await running.stop();
    }
  } catch (error) {
    if (stops.exitCode === null) throw error;
    if (!stops.signal.aborted || error !== stops.signal.reason)
      output.note(`tasker: ${String(error)}`);
    return stops.exitCode;
  } finally {
    stops.close();
  }
}

async function runTasks(
  context: CommandContext,
  running: RunningEngine,
  template: TaskTemplate,
  inputs: readonly string[],
  options: RunOptions,
  stops: StopSignals,
  view: RunView,
): Promise<number> {
  const { output } = context;
  refuseBrokenHandlers(running);
  const startedAt = performance.now();
  const tasks = await createAll(running.engine, template, inputs, options, stops.signal);
  if (options.wait !== true) {
    for (const { taskUuid } of tasks) output.print(`Created task ${taskUuid}`);
    output.print(
      "A worker that serves its namespace runs it: `tasker dev`, or add --wait to run it here.",
    );
    const json = tasks.map(({ taskUuid }) => ({ task_uuid: taskUuid }));
    output.json(options.each === true ? { tasks: json } : json[0]);
    return EXIT.ok;
  }
  return await followTasks(
    { engine: running.engine, tasks, output, view, isEach: options.each === true, startedAt },
    { stop: stops.signal, timeoutSeconds: options.timeout ?? null },
  );
}

/** A handler file that does not load is a mistake of this very run; `tasker dev` goes on without it. */
function refuseBrokenHandlers({ handlerProblems }: RunningEngine): void {
  const [first] = handlerProblems;
  if (first === undefined) return;
  const list = handlerProblems.map(({ message }) => `\n  ${message}`).join("");
  throw new CliError(first.code, EXIT.usage, `Handlers could not be loaded:${list}`, {
    problems: handlerProblems.map(({ code, message }) => ({ code, message })),
  });
}

/** So many requests are on their way at a time. */
const CREATE_BATCH = 200;

async function createAll(
  engine: Engine,
  template: TaskTemplate,
  inputs: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<CreatedTask[]> {
  const created: CreatedTask[] = [];
  for (let at = 0; at < inputs.length; at += CREATE_BATCH) {
    signal.throwIfAborted();
    const batch = inputs.slice(at, at + CREATE_BATCH).map((text, i) =>
      engine.createTask({
        namespace: template.namespace_name,
        name: template.name,
        version: template.version,
        context: new JsonText(text),
        initiator: "tasker-cli",
        sourceSystem: "cli",
        reason: "CLI task creation",
        idempotencyKey: idempotencyKey(options, at + i),
      }),
    );
    created.push(...(await Promise.all(batch)));
  }
  return created;
}

function idempotencyKey({ idempotencyKey: key, each }: RunOptions, index: number): string {
  if (key === undefined) return newUuid();
  return each === true ? `${key}/${index}` : key;
}
