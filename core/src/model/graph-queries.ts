import { topologicalOrder } from "./graph-order.js";
import type { StepGraph } from "./step-graph.js";

/** The level of each step: 0 without dependencies, else one more than its deepest dependency. */
export function dependencyLevels(graph: StepGraph): number[] {
  const levels = new Array<number>(graph.names.length).fill(0);
  for (const position of topologicalOrder(graph)) {
    for (const parent of graph.parents[position] ?? []) {
      levels[position] = Math.max(levels[position] ?? 0, (levels[parent] ?? 0) + 1);
    }
  }
  return levels;
}

/** Every step that must be finished before this one, ascending; the step itself is not included. */
export function transitiveAncestors(graph: StepGraph, position: number): number[] {
  return reachable(graph.parents, position);
}

/** Every step that waits, directly or not, for this one, ascending. */
export function transitiveDescendants(graph: StepGraph, position: number): number[] {
  return reachable(graph.children, position);
}

/**
 * The longest chain of dependencies, first step to last: no run can take fewer stages. `weightOf` gives a
 * step's share (default 1 each), for example its measured duration; it must not be negative.
 */
export function criticalPath(
  graph: StepGraph,
  weightOf: (position: number) => number = () => 1,
): number[] {
  const lengths = new Array<number>(graph.names.length).fill(0);
  const previous = new Array<number>(graph.names.length).fill(-1);
  let end = -1;
  for (const position of topologicalOrder(graph)) {
    let longest = 0;
    for (const parent of graph.parents[position] ?? []) {
      const length = lengths[parent] ?? 0;
      if (previous[position] === -1 || length > longest) {
        longest = length;
        previous[position] = parent;
      }
    }
    lengths[position] = longest + weightOf(position);
    if (end === -1 || (lengths[position] ?? 0) > (lengths[end] ?? 0)) end = position;
  }
  const path: number[] = [];
  for (let position = end; position !== -1; position = previous[position] ?? -1) {
    path.push(position);
  }
  return path.reverse();
}

function reachable(edges: readonly (readonly number[])[], start: number): number[] {
  const found = new Set<number>();
  const pending = [start];
  for (let position = pending.pop(); position !== undefined; position = pending.pop()) {
    for (const next of edges[position] ?? []) {
      if (!found.has(next)) {
        found.add(next);
        pending.push(next);
      }
    }
  }
  return [...found].sort((left, right) => left - right);
}
