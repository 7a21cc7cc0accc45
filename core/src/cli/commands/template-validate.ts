import { relative, resolve } from "node:path";
import {
  type Diagnostic,
  formatDiagnostic,
  hasErrors,
  templateOptions,
} from "../../templates/index.js";
import type { CommandContext } from "../command-context.js";
import { loadCommandConfig } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { readTemplatePath } from "../load-templates.js";

export interface TemplateValidateOptions {
  readonly strict?: boolean;
}

/** `tasker template validate <files...>`: exit code 1 when there are errors. */
export async function templateValidate(
  context: CommandContext,
  { strict = false }: TemplateValidateOptions,
  paths: readonly string[],
): Promise<number> {
  const { output, workingDirectory } = context;
  const configured = templateOptions(loadCommandConfig(context).config);
  const options = strict ? { ...configured, unknownKeys: "error" as const } : configured;
  const diagnostics: Diagnostic[] = [];
  let files = 0;
  for (const path of paths) {
    const found = await readTemplatePath(resolve(workingDirectory, path), options);
    files += found.files.length;
    diagnostics.push(
      ...found.diagnostics.map((diagnostic) => shown(diagnostic, workingDirectory, strict)),
    );
  }
  const isValid = !hasErrors(diagnostics);
  for (const diagnostic of diagnostics) output.print(formatDiagnostic(diagnostic));
  if (isValid) output.print(`${files} ${files === 1 ? "template is" : "templates are"} valid`);
  output.json({ valid: isValid, files, problems: diagnostics });
  return isValid ? EXIT.ok : EXIT.failed;
}

/** The place as seen from where the user is; under `--strict` a warning is an error. */
function shown(diagnostic: Diagnostic, workingDirectory: string, isStrict: boolean): Diagnostic {
  const file = relative(workingDirectory, diagnostic.file);
  return {
    ...diagnostic,
    file: file.startsWith("..") ? diagnostic.file : file,
    severity: isStrict ? "error" : diagnostic.severity,
  };
}
