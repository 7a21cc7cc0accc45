import type { TaskTemplate } from "../model/index.js";
import { checkSteps } from "./check-steps.js";
import { type Diagnostic, hasErrors } from "./diagnostics.js";
import { MapReader } from "./map-reader.js";
import { ReadContext, type TemplateOptions } from "./read-context.js";
import { readTemplate } from "./read-template.js";
import { readYaml } from "./read-yaml.js";
import { describeNode } from "./yaml-tree.js";

export interface ParsedTemplate {
  /** Normalised, every default filled in; null when there is at least one error. */
  readonly template: TaskTemplate | null;
  /** Everything found, by place in the file. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads one template from YAML text and lists all its problems at once. Never throws. JSON is YAML too,
 * so a template built in code is checked by passing its JSON text.
 */
export function parseTemplate(
  text: string,
  fileName: string,
  options: TemplateOptions = {},
): ParsedTemplate {
  const yaml = readYaml(text);
  const ctx = new ReadContext(fileName, (offset) => yaml.position(offset), options);
  for (const { offset, message } of yaml.problems) ctx.error(offset, "", message);

  let template: TaskTemplate | null = null;
  if (yaml.root?.kind === "map") {
    const read = readTemplate(new MapReader(ctx, yaml.root, ""));
    checkSteps(ctx, read.steps);
    template = read.template;
  } else if (yaml.root !== null) {
    ctx.error(yaml.root.offset, "", `a template is a map of keys, got ${describeNode(yaml.root)}`);
  } else if (yaml.problems.length === 0) {
    ctx.error(0, "", "the file is empty", "a template needs name, namespace_name and version");
  }
  const diagnostics = ctx.diagnostics.toSorted(
    (left, right) => left.line - right.line || left.column - right.column,
  );
  return { template: hasErrors(diagnostics) ? null : template, diagnostics };
}
