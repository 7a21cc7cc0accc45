import type { RuntimeStep, RuntimeTemplate } from "../runtime-template.js";
import type { EdgeList } from "./edge-list.js";

/**
 * The steps that `initialSteps` held back because they stand behind a batch's convergence: they are created
 * together with it. What a decision has still to choose is not: it is that decision's to create. Ascending.
 */
export function heldBackSteps(
  template: RuntimeTemplate,
  batchable: number,
  convergences: readonly number[],
): RuntimeStep[] {
  const created = new Set(convergences);
  const decided = new Set(template.ancestorsOf(batchable));
  const undecided = new Set<number>();
  const steps: RuntimeStep[] = [];
  for (const step of template.steps) {
    const isUndecided = step.dependencies.some((parent) => {
      const isOpenDecision = template.steps[parent]?.type === "decision" && !decided.has(parent);
      return isOpenDecision || undecided.has(parent);
    });
    if (isUndecided) undecided.add(step.ordinal);
    if (isUndecided || step.initial || step.type === "batch_worker") continue;
    if (created.has(step.ordinal)) continue;
    if (!step.dependencies.some((parent) => created.has(parent))) continue;
    created.add(step.ordinal);
    steps.push(step);
  }
  return steps;
}

/**
 * Edges into a step held back: from each dependency that exists. One that another batch will create is
 * replaced by the step that starts that batch; one that nobody may ever create is left out.
 */
export function addHeldBackEdges(
  template: RuntimeTemplate,
  batchable: number,
  step: RuntimeStep,
  created: ReadonlySet<number>,
  edges: EdgeList,
): void {
  for (const dependency of step.dependencies) {
    const exists = created.has(dependency) || isPresent(template, batchable, dependency);
    if (exists) edges.provide(dependency, step.ordinal);
    else addStandIns(template, batchable, dependency, step.ordinal, created, edges);
  }
}

/**
 * Edges from the other analyzers that `missing` comes from, as far as they exist. Only from those that declare
 * their worker template as a child: the database looks for late edges of no other step.
 */
export function addStandIns(
  template: RuntimeTemplate,
  batchable: number,
  missing: number,
  to: number,
  created: ReadonlySet<number>,
  edges: EdgeList,
): void {
  for (const origin of [...template.ancestorsOf(missing), missing]) {
    for (const analyzer of analyzersOf(template, origin)) {
      if (analyzer === batchable) continue;
      const exists = created.has(analyzer) || isPresent(template, batchable, analyzer);
      if (exists) edges.provide(analyzer, to);
    }
  }
}

/** The batchable steps whose results make the workers of a `batch_worker` step; of other steps none. */
export function analyzersOf(template: RuntimeTemplate, ordinal: number): number[] {
  const step = template.steps[ordinal];
  if (step?.type !== "batch_worker") return [];
  return step.dependencies.filter((parent) => template.steps[parent]?.type === "batchable");
}

function isPresent(template: RuntimeTemplate, batchable: number, ordinal: number): boolean {
  return ordinal === batchable || template.steps[ordinal]?.initial === true;
}
