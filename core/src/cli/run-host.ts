import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineRole } from "../bootstrap.js";
import type { LoadedConfig } from "../config/index.js";
import type { TaskTemplate } from "../model/index.js";
import {
  type Diagnostic,
  findTemplateDirectory,
  formatDiagnostic,
  hasErrors,
  templateOptions,
} from "../templates/index.js";
import { CliError } from "./cli-error.js";
import { type CommandContext, commandLogger, loadCommandConfig } from "./command-context.js";
import { EXIT } from "./exit-codes.js";
import { type HandlerFlags, readHandlerFlags } from "./handler-flags.js";
import { startHotReload } from "./hot-reload.js";
import { readTemplatePath } from "./load-templates.js";
import { renderBanner, type StartSummary, summarize } from "./render/banner.js";
import { type RunningEngine, startEngine } from "./start-engine.js";
import { listenForStop, type StopSignals } from "./stop-signals.js";

export interface HostOptions extends HandlerFlags {
  readonly templates: readonly string[];
  /** Changed handlers and templates are taken up without a restart. */
  readonly watch?: boolean;
}

/** `tasker dev`, `tasker server` and `tasker worker`: a host in its role, until it is asked to stop. */
export async function runHost(
  context: CommandContext,
  options: HostOptions,
  role: EngineRole,
): Promise<number> {
  const { output, workingDirectory } = context;
  const loaded = withJoin(loadCommandConfig(context), options);
  const templatePaths = findTemplatePaths(context, options, loaded);
  const templates = await readTemplates(context, templatePaths, loaded);
  const handlers = role === "server" ? null : await readHandlerFlags(options, workingDirectory);
  const stops = listenForStop(() =>
    output.note("Stopping: steps that are running may finish. Press Ctrl-C again to stop at once."),
  );
  try {
    const running = await startEngine(context, {
      loaded,
      logger: commandLogger(context, loaded),
      templates,
      handlers,
      role,
      isServing: true,
      signal: stops.signal,
    });
    const summary: StartSummary = summarize(running);
    output.print(renderBanner(summary, output.palette));
    output.json({ event: "ready", ...summary });
    const stopWatching =
      options.watch === true
        ? await startHotReload(context, { running, loaded, templates: templatePaths })
        : undefined;
    try {
      return await serve(running, stops);
    } finally {
      await stopWatching?.();
    }
  } catch (error) {
    // A stop while things were starting is no failure of theirs.
    if (stops.exitCode !== null && error === stops.signal.reason) return EXIT.ok;
    throw error;
  } finally {
    stops.close();
  }
}

function withJoin(loaded: LoadedConfig, { join = [], joinToken }: HostOptions): LoadedConfig {
  if (join.length === 0 && joinToken === undefined) return loaded;
  const { config } = loaded;
  const worker = {
    ...config.worker,
    join: {
      ...config.worker.join,
      ...(join.length === 0 ? {} : { addresses: [...join] }),
      ...(joinToken === undefined ? {} : { token_file: joinToken }),
    },
  };
  return { ...loaded, config: { ...config, worker } };
}

/** How long an engine may take to stop when its database is gone. */
const ORPHANED_STOP_MS = 10_000;

async function serve(running: RunningEngine, stops: StopSignals): Promise<number> {
  const { server } = running.database;
  const databaseEnded = new Promise<"database">((settle) => {
    void server?.exited.then(() => settle("database"));
  });
  const end = await Promise.race([stops.stopped, databaseEnded]);
  if (end === "database") {
    await Promise.race([
      running.stop().catch(() => undefined), // the database is the error to report
      sleep(ORPHANED_STOP_MS, undefined, { ref: false }),
    ]);
    throw new CliError(
      "DATABASE_ENDED",
      EXIT.environment,
      "The embedded Postgres ended while it was in use. Its log is in .tasker/postgres; start again",
    );
  }
  await running.stop();
  return EXIT.ok;
}

/** What the command line names, else the project's own template folder. */
function findTemplatePaths(
  { env, workingDirectory }: CommandContext,
  options: HostOptions,
  loaded: LoadedConfig,
): string[] {
  if (options.templates.length > 0) {
    return options.templates.map((path) => resolve(workingDirectory, path));
  }
  const found = findTemplateDirectory({ ...env, ...loaded.env }, workingDirectory);
  return found === null ? [] : [found];
}

/** Everything usable in them; what is not is reported and left out. */
async function readTemplates(
  { output }: CommandContext,
  paths: readonly string[],
  loaded: LoadedConfig,
): Promise<TaskTemplate[]> {
  const templates: TaskTemplate[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const path of paths) {
    const discovery = await readTemplatePath(path, templateOptions(loaded.config));
    templates.push(...discovery.templates.map(({ template }) => template));
    diagnostics.push(...discovery.diagnostics);
  }
  for (const diagnostic of diagnostics) output.note(formatDiagnostic(diagnostic));
  if (hasErrors(diagnostics)) output.note("Templates with errors are left out.");
  return templates;
}
