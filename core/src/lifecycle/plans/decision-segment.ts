import type { RuntimeTemplate } from "../runtime-template.js";

/** The part of a template that one decision's result can create. */
export interface DecisionSegment {
  /** Ordinals of the steps behind the decision, up to and without the next decisions. */
  readonly members: ReadonlySet<number>;
  /** Those next decisions. */
  readonly exits: ReadonlySet<number>;
}

export function decisionSegment(template: RuntimeTemplate, decision: number): DecisionSegment {
  const members = new Set<number>();
  const exits = new Set<number>();
  const pending = [decision];
  for (let ordinal = pending.pop(); ordinal !== undefined; ordinal = pending.pop()) {
    for (const child of template.graph.children[ordinal] ?? []) {
      if (template.steps[child]?.type === "decision") exits.add(child);
      else if (!members.has(child)) {
        members.add(child);
        pending.push(child);
      }
    }
  }
  return { members, exits };
}

/**
 * The most decisions on any path of the template that ends with this one, itself included. It needs nothing
 * from the run: a run follows paths of the template, so it can only be shallower.
 */
export function decisionDepth(template: RuntimeTemplate, decision: number): number {
  const depths: number[] = [];
  for (const { type, dependencies } of template.steps.slice(0, decision + 1)) {
    const above = dependencies.reduce((most, parent) => Math.max(most, depths[parent] ?? 0), 0);
    depths.push(type === "decision" ? above + 1 : above);
  }
  return depths[decision] ?? 0;
}
