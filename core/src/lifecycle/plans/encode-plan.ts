import type { ExpansionPlan, NodeRef } from "./plan.js";

/** JSON text for `tasker_core._expand_plans`: nodes are ordinals of the template; worker n is -1 - n. */
export function encodePlan(plan: ExpansionPlan): string {
  const workers = plan.workers.map(
    ({ name, templateOrdinal, failureTolerated, inputsJson }) =>
      `{"name":${JSON.stringify(name)},"ordinal":${templateOrdinal},"tolerated":${failureTolerated},"inputs":${inputsJson}}`,
  );
  const edges = plan.edges.map(({ from, to, name }) => ({
    from: nodeOf(from),
    to: nodeOf(to),
    name,
  }));
  const steps = plan.steps.map(({ ordinal }) => ordinal);
  return `{"steps":${JSON.stringify(steps)},"workers":[${workers.join(",")}],"edges":${JSON.stringify(edges)}}`;
}

function nodeOf(node: NodeRef): number {
  return "ordinal" in node ? node.ordinal : -1 - node.worker;
}
