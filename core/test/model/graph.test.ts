import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  criticalPath,
  cyclePath,
  dependencyLevels,
  findCycle,
  findCycles,
  type StepGraph,
  stepGraph,
  topologicalOrder,
  transitiveAncestors,
  transitiveDescendants,
} from "../../src/model/index.js";

/** Any directed graph, cyclic or not, of up to 12 steps without self-dependencies. */
const anyGraph = fc
  .integer({ min: 1, max: 12 })
  .chain((size) =>
    fc
      .array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 30 })
      .map((edges) => graphOf(size, edges)),
  );

/** A graph without cycles: edges only from a later rank to an earlier one, names in shuffled file order. */
const acyclicGraph = fc.integer({ min: 1, max: 12 }).chain((size) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 40 }),
      fc.shuffledSubarray(
        Array.from({ length: size }, (_, index) => index),
        { minLength: size },
      ),
    )
    .map(([edges, rank]) =>
      graphOf(
        size,
        edges.filter(([child, parent]) => (rank[child] ?? 0) > (rank[parent] ?? 0)),
      ),
    ),
);

function graphOf(size: number, edges: [number, number][]): StepGraph {
  return stepGraph(
    Array.from({ length: size }, (_, index) => ({
      name: `s${index}`,
      dependencies: edges
        .filter(([child, parent]) => child === index && parent !== index)
        .map(([, parent]) => `s${parent}`),
    })),
  );
}

/** Whether steps can be removed one by one, each without a dependency left: Kahn, as an independent check. */
function isAcyclic(graph: StepGraph): boolean {
  const left = new Set(graph.names.keys());
  for (;;) {
    const free = [...left].find((at) => graph.parents[at]?.every((parent) => !left.has(parent)));
    if (free === undefined) return left.size === 0;
    left.delete(free);
  }
}

describe("cycles", () => {
  it("are found in exactly the cyclic graphs, and are real", () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const cycle = findCycle(graph);
        expect(cycle === null).toBe(isAcyclic(graph));
        for (const found of findCycles(graph, 5)) {
          expect(new Set(found).size).toBe(found.length);
          found.forEach((at, index) => {
            expect(graph.parents[at]).toContain(found[(index + 1) % found.length]);
          });
        }
      }),
    );
  });

  it("are printed as a path that returns to its start", () => {
    const graph = stepGraph([
      { name: "a", dependencies: ["b"] },
      { name: "b", dependencies: ["c"] },
      { name: "c", dependencies: ["a"] },
    ]);
    expect(cyclePath(graph, findCycle(graph) ?? [])).toBe("a → b → c → a");
    expect(() => topologicalOrder(graph)).toThrow("a → b → c → a");
  });
});

describe("topological order", () => {
  it("puts every step after its dependencies, once", () => {
    fc.assert(
      fc.property(acyclicGraph, (graph) => {
        const order = topologicalOrder(graph);
        const place = new Map(order.map((at, index) => [at, index]));
        expect(place.size).toBe(graph.names.length);
        graph.parents.forEach((parents, at) => {
          for (const parent of parents) expect(place.get(parent)).toBeLessThan(place.get(at) ?? -1);
        });
      }),
    );
  });

  it("keeps an order that is already topological", () => {
    fc.assert(
      fc.property(acyclicGraph, (graph) => {
        const sorted = topologicalOrder(graph);
        const again = stepGraph(
          sorted.map((at) => ({
            name: graph.names[at] ?? "",
            dependencies: (graph.parents[at] ?? []).map((parent) => graph.names[parent] ?? ""),
          })),
        );
        expect(topologicalOrder(again)).toEqual(sorted.map((_, index) => index));
      }),
    );
  });
});

describe("reachability and levels", () => {
  it("agree with the edges in every acyclic graph", () => {
    fc.assert(
      fc.property(acyclicGraph, (graph) => {
        const levels = dependencyLevels(graph);
        graph.names.forEach((_, at) => {
          const parents = graph.parents[at] ?? [];
          expect(levels[at]).toBe(
            Math.max(-1, ...parents.map((parent) => levels[parent] ?? 0)) + 1,
          );
          const expected = new Set(
            parents.flatMap((parent) => [parent, ...transitiveAncestors(graph, parent)]),
          );
          expect(new Set(transitiveAncestors(graph, at))).toEqual(expected);
          for (const ancestor of expected) {
            expect(transitiveDescendants(graph, ancestor)).toContain(at);
          }
        });
        expect(criticalPath(graph)).toHaveLength(Math.max(...levels) + 1);
      }),
    );
  });

  it("weighs the critical path", () => {
    const graph = stepGraph([
      { name: "a", dependencies: [] },
      { name: "slow", dependencies: ["a"] },
      { name: "b", dependencies: ["a"] },
      { name: "c", dependencies: ["b"] },
    ]);
    const names = (path: number[]): (string | undefined)[] => path.map((at) => graph.names[at]);
    expect(names(criticalPath(graph))).toEqual(["a", "b", "c"]);
    const weights = (at: number): number => (graph.names[at] === "slow" ? 10 : 1);
    expect(names(criticalPath(graph, weights))).toEqual(["a", "slow"]);
  });
});
