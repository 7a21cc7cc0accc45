import { topologicalOrder } from "./graph-order.js";
import { type StepGraph, stepGraph } from "./step-graph.js";
import type { StepDefinition } from "./template.js";

/**
 * Which steps exist from the start of a task (`contract/template.md` sections 9 and 10); the others are
 * created by a decision's or a batchable step's result. Positions follow `steps`.
 *
 * Two rules are ours. A step behind a convergence that is not created yet is held back with it, because
 * without its edge it would run at once. And a convergence that joins batch workers is held back in
 * templates with decisions too: it joins steps that do not exist yet.
 */
export function initialSteps(
  steps: readonly StepDefinition[],
  graph: StepGraph = stepGraph(steps),
): boolean[] {
  const hasDecision = steps.some((step) => step.type === "decision");
  const behindDecision = new Array<boolean>(steps.length).fill(false);
  const behindConvergence = new Array<boolean>(steps.length).fill(false);
  const initial = new Array<boolean>(steps.length).fill(false);

  for (const position of topologicalOrder(graph)) {
    const step = steps[position];
    if (step === undefined) continue;
    const parents = graph.parents[position] ?? [];
    const isWorker = step.type === "batch_worker";
    const isConvergence = step.type === "deferred_convergence";
    const joinsWorkers = parents.some((parent) => steps[parent]?.type === "batch_worker");

    behindDecision[position] = parents.some(
      (parent) => steps[parent]?.type === "decision" || behindDecision[parent] === true,
    );
    behindConvergence[position] =
      parents.some((parent) => behindConvergence[parent] === true) ||
      (isConvergence && (!hasDecision || joinsWorkers));
    initial[position] = !isWorker && !behindDecision[position] && !behindConvergence[position];
  }
  return initial;
}

/** The names of {@link initialSteps}, in template order. */
export function initialStepNames(steps: readonly StepDefinition[]): string[] {
  const initial = initialSteps(steps);
  return steps.filter((_, position) => initial[position] === true).map((step) => step.name);
}
