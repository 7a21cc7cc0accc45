import { cyclePath, findCycles, stepGraph } from "../model/index.js";
import type { ReadContext } from "./read-context.js";
import type { ReadStep } from "./read-step.js";

const MAX_CYCLES = 10;

/** The checks that compare steps with each other. Steps without a name have been reported already. */
export function checkSteps(ctx: ReadContext, steps: readonly ReadStep[]): void {
  const byName = checkNames(ctx, steps);
  for (const step of steps) {
    checkDependencies(ctx, step, byName);
    checkType(ctx, step);
    checkBatch(ctx, step, byName);
  }
  checkCycles(ctx, steps);
}

function checkNames(ctx: ReadContext, steps: readonly ReadStep[]): Map<string, ReadStep> {
  const byName = new Map<string, ReadStep>();
  for (const step of steps) {
    const { name } = step.definition;
    if (name === "") continue;
    const offset = step.reader.valueOffset("name");
    const path = step.reader.pathOf("name");
    if (name === "ALL") {
      ctx.warning(
        offset,
        path,
        "a step named `ALL` cannot be overridden alone: `environments` reads ALL as every step",
      );
    }
    const first = byName.get(name);
    if (first === undefined) byName.set(name, step);
    else
      ctx.error(
        offset,
        path,
        `the step name \`${name}\` is already used by \`${first.reader.path}\``,
      );
  }
  return byName;
}

function checkDependencies(
  ctx: ReadContext,
  step: ReadStep,
  byName: ReadonlyMap<string, ReadStep>,
): void {
  const seen = new Set<string>();
  for (const { text, offset, path } of step.dependencies) {
    if (seen.has(text)) {
      ctx.warning(offset, path, `the dependency \`${text}\` is listed twice`);
    } else if (text === step.definition.name) {
      ctx.error(offset, path, `the step \`${text}\` depends on itself`);
    } else if (!byName.has(text)) {
      const hint = ctx.suggest(text, byName.keys());
      ctx.error(
        offset,
        path,
        `the step \`${step.definition.name}\` depends on \`${text}\`, which does not exist`,
        hint,
      );
    }
    seen.add(text);
  }
}

function checkType(ctx: ReadContext, { definition, reader }: ReadStep): void {
  if (definition.type === "decision" && definition.dependencies.length === 0) {
    const message = `the decision step \`${definition.name}\` needs at least one dependency`;
    ctx.error(reader.offset, reader.path, message, "the step whose result it decides on");
  }
}

function checkBatch(
  ctx: ReadContext,
  { definition, reader, dependencies }: ReadStep,
  byName: ReadonlyMap<string, ReadStep>,
): void {
  const { type, batch_config } = definition;
  if (type === "batch_worker" && batch_config === null) {
    const message = `the batch worker \`${definition.name}\` has no \`batch_config\`, so no batch can be made from it`;
    ctx.warning(reader.offset, reader.path, message);
  }
  const worker = batch_config?.worker_template ?? "";
  if (worker !== "" && byName.get(worker)?.definition.type !== "batch_worker") {
    const config = reader.map("batch_config");
    const message = `\`worker_template\` names \`${worker}\`, which is no step of type batch_worker`;
    ctx.warning(
      config?.valueOffset("worker_template") ?? reader.offset,
      `${reader.path}.batch_config.worker_template`,
      message,
    );
  }
  checkPlaceholderWorker(ctx, definition, reader, byName);
  if (type === "deferred_convergence") return;
  for (const { text, offset, path } of dependencies) {
    if (byName.get(text)?.definition.type !== "batch_worker") continue;
    const message = `\`${definition.name}\` does not wait for the workers made from \`${text}\`: only a deferred_convergence does`;
    ctx.warning(offset, path, message, "give it `type: deferred_convergence`");
  }
}

/** A batchable step that finds nothing to do makes its one no-op worker from this name. */
function checkPlaceholderWorker(
  ctx: ReadContext,
  definition: ReadStep["definition"],
  reader: ReadStep["reader"],
  byName: ReadonlyMap<string, ReadStep>,
): void {
  const name = definition.handler.initialization["worker_template_name"];
  if (definition.type !== "batchable" || typeof name !== "string") return;
  if (byName.get(name)?.definition.type === "batch_worker") return;
  const initialization = reader.map("handler")?.map("initialization");
  ctx.warning(
    initialization?.valueOffset("worker_template_name") ?? reader.offset,
    `${reader.path}.handler.initialization.worker_template_name`,
    `\`worker_template_name\` names \`${name}\`, which is no step of type batch_worker`,
  );
}

function checkCycles(ctx: ReadContext, steps: readonly ReadStep[]): void {
  // A step that waits for itself has been reported at its own line.
  const graph = stepGraph(
    steps.map(({ definition: { name, dependencies } }) => ({
      name,
      dependencies: dependencies.filter((dependency) => dependency !== name),
    })),
  );
  for (const cycle of findCycles(graph, MAX_CYCLES)) {
    // Reported at the edge that comes first in the file, so that the same file gives the same place.
    const start = cycle.indexOf(Math.min(...cycle));
    const turned = [...cycle.slice(start), ...cycle.slice(0, start)];
    const step = steps[turned[0] ?? 0];
    const next = graph.names[turned[1] ?? 0];
    const edge = step?.dependencies.find((dependency) => dependency.text === next);
    ctx.error(
      edge?.offset ?? 0,
      edge?.path ?? "steps",
      `steps wait for each other: ${cyclePath(graph, turned)}`,
      "each waits for the one after the arrow; remove one of these dependencies",
    );
  }
}
