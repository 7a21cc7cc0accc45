import { relative } from "node:path";
import type { LoadedConfig } from "../config/index.js";
import { messageOf } from "../errors/index.js";
import { formatDiagnostic, templateOptions } from "../templates/index.js";
import type { CommandContext } from "./command-context.js";
import { readTemplatePath } from "./load-templates.js";
import { type SourceKind, SourceWatcher } from "./source-watcher.js";
import type { RunningEngine } from "./start-engine.js";

export interface HotReloadOptions {
  readonly running: RunningEngine;
  readonly loaded: LoadedConfig;
  /** Template files and folders. */
  readonly templates: readonly string[];
}

/**
 * `tasker dev`: changed handlers and templates are live without a restart. Steps that run finish on the old code; what
 * cannot be used is said, and what was there goes on.
 * @returns stops watching
 */
export async function startHotReload(
  context: CommandContext,
  options: HotReloadOptions,
): Promise<() => Promise<void>> {
  const { running, templates } = options;
  const { output, workingDirectory } = context;
  const watcher = new SourceWatcher({
    paths: { ...running.handlerPaths, templates },
    onChange: async (kind, files) => {
      const shown = files.map((file) => relative(workingDirectory, file)).join(", ");
      const startedAt = performance.now();
      try {
        const problems =
          kind === "templates" ? await reloadTemplates(options) : await running.reload(kind);
        for (const problem of problems) output.note(problem);
        const ms = Math.round(performance.now() - startedAt);
        output.note(`${describe(kind)} reloaded in ${ms} ms: ${shown}`);
        output.json({ event: "reloaded", kind, files, ms, problems });
      } catch (error) {
        output.note(`${describe(kind)} not reloaded, what was there goes on: ${messageOf(error)}`);
        output.json({ event: "reload_failed", kind, files, error: messageOf(error) });
      }
    },
  });
  await watcher.start();
  return () => watcher.stop();
}

async function reloadTemplates({
  running,
  loaded,
  templates,
}: HotReloadOptions): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const path of templates) {
    const found = await readTemplatePath(path, templateOptions(loaded.config));
    problems.push(...found.diagnostics.map(formatDiagnostic));
    // A template that has not changed costs one look at its checksum.
    for (const { template } of found.templates) await running.engine.register(template);
  }
  return problems;
}

function describe(kind: SourceKind): string {
  if (kind === "templates") return "Templates";
  return `${kind === "typescript" ? "TypeScript" : kind[0]?.toUpperCase() + kind.slice(1)} handlers`;
}
