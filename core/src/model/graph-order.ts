import { StateError } from "../errors/index.js";
import type { StepGraph } from "./step-graph.js";

/**
 * Positions in an order where every step comes after what it depends on. An order that already has this
 * property is kept as it is.
 *
 * @throws StateError TEMPLATE_INVALID naming a cycle
 */
export function topologicalOrder(graph: StepGraph): number[] {
  const { order, cycles } = walk(graph, 1);
  const cycle = cycles[0];
  if (cycle !== undefined) {
    throw new StateError(
      "TEMPLATE_INVALID",
      `steps wait for each other: ${cyclePath(graph, cycle)}`,
    );
  }
  return order;
}

/** One cycle as positions, the first not repeated at the end, or null: each depends on the next. */
export function findCycle(graph: StepGraph): number[] | null {
  return walk(graph, 1).cycles[0] ?? null;
}

/** Up to `limit` different cycles; every cyclic graph yields at least one. */
export function findCycles(graph: StepGraph, limit: number): number[][] {
  return walk(graph, limit).cycles;
}

/** `a → b → c → a` for a cycle found by {@link findCycle}. */
export function cyclePath(graph: StepGraph, cycle: readonly number[]): string {
  return [...cycle, ...cycle.slice(0, 1)].map((position) => graph.names[position]).join(" → ");
}

/**
 * Depth-first over dependencies, parents before children. With an explicit stack: a chain of 10 000 steps
 * would overflow the call stack.
 */
function walk(graph: StepGraph, maxCycles: number): { order: number[]; cycles: number[][] } {
  const order: number[] = [];
  const cycles: number[][] = [];
  const state = new Uint8Array(graph.names.length); // 0 unseen, 1 on the path, 2 done
  const path: number[] = [];
  const nextParent: number[] = [];

  for (let root = 0; root < graph.names.length; root++) {
    if (state[root] !== 0) continue;
    path.push(root);
    nextParent.push(0);
    state[root] = 1;
    while (path.length > 0) {
      const depth = path.length - 1;
      const position = path[depth] as number;
      const parent = graph.parents[position]?.[nextParent[depth] as number];
      if (parent === undefined) {
        state[position] = 2;
        order.push(position);
        path.pop();
        nextParent.pop();
        continue;
      }
      nextParent[depth] = (nextParent[depth] as number) + 1;
      if (state[parent] === 0) {
        state[parent] = 1;
        path.push(parent);
        nextParent.push(0);
      } else if (state[parent] === 1) {
        cycles.push(path.slice(path.indexOf(parent)));
        if (cycles.length >= maxCycles) return { order, cycles };
      }
    }
  }
  return { order, cycles };
}
