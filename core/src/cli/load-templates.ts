import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { TaskTemplate } from "../model/index.js";
import {
  type Diagnostic,
  type Discovery,
  discoverTemplates,
  formatDiagnostic,
  loadTemplateFile,
  type TemplateOptions,
} from "../templates/index.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

/** A template file, or every template file below a folder. */
export async function readTemplatePath(path: string, options: TemplateOptions): Promise<Discovery> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory() === true) return await discoverTemplates(path, options);
  const { template, diagnostics } = await loadTemplateFile(path, options);
  return {
    templates: template === null ? [] : [{ file: path, template }],
    diagnostics,
    files: [path],
  };
}

export interface LoadedTemplate {
  readonly template: TaskTemplate;
  readonly warnings: readonly Diagnostic[];
}

/**
 * One template that must be usable.
 * @throws CliError TEMPLATE_INVALID listing everything that is wrong
 */
export async function loadUsableTemplate(
  file: string,
  workingDirectory: string,
  options: TemplateOptions,
): Promise<LoadedTemplate> {
  const { template, diagnostics } = await loadTemplateFile(
    resolve(workingDirectory, file),
    options,
  );
  if (template !== null) return { template, warnings: diagnostics };
  // Places relative to where the user is, as an editor expects them.
  const shown = diagnostics.map((diagnostic) => ({ ...diagnostic, file }));
  const list = shown.map((diagnostic) => `\n  ${formatDiagnostic(diagnostic)}`).join("");
  throw new CliError(
    "TEMPLATE_INVALID",
    EXIT.usage,
    `The template ${file} cannot be used:${list}`,
    { problems: shown },
  );
}
