import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decisionSegment } from "../../../src/lifecycle/plans/decision-segment.js";
import type { ExpansionPlan } from "../../../src/lifecycle/plans/index.js";
import type { RuntimeTemplate } from "../../../src/lifecycle/runtime-template.js";
import {
  type StepDefinition,
  type StepType,
  transitiveDescendants,
} from "../../../src/model/index.js";
import { step } from "../../model/builders.js";
import { batches, choose, fromSteps, planOf, resultOf, worker } from "./support.js";

const kinds: fc.Arbitrary<StepType> = fc.oneof(
  { weight: 5, arbitrary: fc.constant("standard" as const) },
  { weight: 2, arbitrary: fc.constant("decision" as const) },
  { weight: 2, arbitrary: fc.constant("deferred_convergence" as const) },
  { weight: 1, arbitrary: fc.constant("batchable" as const) },
  { weight: 1, arbitrary: fc.constant("batch_worker" as const) },
);

/** Any acyclic template: each step depends on up to three before it. */
const anySteps: fc.Arbitrary<StepDefinition[]> = fc
  .array(fc.record({ kind: kinds, parents: fc.array(fc.nat(), { maxLength: 3 }) }), {
    minLength: 2,
    maxLength: 16,
  })
  .map((drawn) =>
    drawn.map(({ kind, parents }, position) => {
      const dependencies = [...new Set(parents.map((parent) => `s${parent % position}`))];
      const known = position === 0 ? [] : dependencies;
      const type = known.length === 0 && kind === "decision" ? "standard" : kind;
      return type === "batch_worker"
        ? worker(`s${position}`, known)
        : step(`s${position}`, { type, dependencies: known });
    }),
  );

function ordinalsOf(runtime: RuntimeTemplate, type: StepType): number[] {
  return runtime.steps.filter((one) => one.type === type).map(({ ordinal }) => ordinal);
}

/** Nodes as text; every edge must run between nodes for which `exists` holds. */
function checkEdges(plan: ExpansionPlan, exists: (ordinal: number) => boolean): void {
  const created = new Set(plan.steps.map(({ ordinal }) => ordinal));
  const seen = new Set<string>();
  for (const { from, to, name } of plan.edges) {
    if ("ordinal" in from) expect(created.has(from.ordinal) || exists(from.ordinal)).toBe(true);
    else expect(plan.workers[from.worker]).toBeDefined();
    if ("ordinal" in to) expect(created.has(to.ordinal)).toBe(true);
    else expect(plan.workers[to.worker]).toBeDefined();
    const key = JSON.stringify([from, to, name]);
    expect(seen.has(key)).toBe(false);
    seen.add(key);
  }
  expect(isAcyclic(plan)).toBe(true);
}

function isAcyclic(plan: ExpansionPlan): boolean {
  let left = plan.edges.map(({ from, to }) => [JSON.stringify(from), JSON.stringify(to)] as const);
  for (;;) {
    const blocked = new Set(left.map(([, to]) => to));
    const next = left.filter(([from]) => blocked.has(from));
    if (next.length === 0) return true;
    if (next.length === left.length) return false;
    left = next;
  }
}

function hasEdgeIn(plan: ExpansionPlan, ordinal: number): boolean {
  return plan.edges.some(({ to }) => "ordinal" in to && to.ordinal === ordinal);
}

describe("plans of any template", () => {
  it("a decision's plan is closed, acyclic and within its reach", () => {
    let expanded = 0;
    fc.assert(
      fc.property(
        anySteps,
        fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
        (steps, picks) => {
          const runtime = fromSteps(...steps);
          for (const decision of ordinalsOf(runtime, "decision")) {
            const { members, exits } = decisionSegment(runtime, decision);
            const requested = [...members].filter(
              (ordinal) =>
                picks[ordinal] === true && runtime.steps[ordinal]?.type !== "batch_worker",
            );
            if (requested.length === 0) continue;
            expanded += 1;
            const names = requested.map((ordinal) => runtime.graph.names[ordinal] ?? "");
            const decider = runtime.graph.names[decision] ?? "";
            const plan = planOf(resultOf(runtime, decider, choose(...names)));
            checkEdges(plan, (ordinal) => ordinal === decision);

            const created = plan.steps.map(({ ordinal }) => ordinal);
            expect(created).toEqual(created.toSorted((left, right) => left - right));
            expect(created).toEqual(expect.arrayContaining([...requested, ...exits]));
            const convergences = created.filter(
              (ordinal) => runtime.steps[ordinal]?.type === "deferred_convergence",
            );
            const behind = new Set(
              convergences.flatMap((ordinal) => transitiveDescendants(runtime.graph, ordinal)),
            );
            for (const ordinal of created) {
              const one = runtime.steps[ordinal];
              const isConvergence = one?.type === "deferred_convergence";
              expect(one?.initial).toBe(false);
              expect(one?.type).not.toBe("batch_worker");
              expect(
                members.has(ordinal) || exits.has(ordinal) || isConvergence || behind.has(ordinal),
              ).toBe(true);
              const isRequested = requested.includes(ordinal);
              if (!isConvergence || !isRequested) expect(hasEdgeIn(plan, ordinal)).toBe(true);
              // Whatever a created step declares and the plan creates, it waits for.
              for (const dependency of one?.dependencies ?? []) {
                if (!created.includes(dependency)) continue;
                expect(plan.edges).toContainEqual({
                  from: { ordinal: dependency },
                  to: { ordinal },
                  name: "provides",
                });
              }
            }
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(expanded).toBeGreaterThan(50);
  });

  it("a batch's plan is closed, acyclic and behind its workers", () => {
    let expanded = 0;
    fc.assert(
      fc.property(anySteps, (steps) => {
        const runtime = fromSteps(...steps);
        for (const batchable of ordinalsOf(runtime, "batchable")) {
          for (const workers of ordinalsOf(runtime, "batch_worker")) {
            const analyzer = runtime.graph.names[batchable] ?? "";
            const workerName = runtime.graph.names[workers] ?? "";
            const result = resultOf(runtime, analyzer, batches(workerName, "a", "b"));
            if (result.kind === "impossible") continue;
            expanded += 1;
            const plan = planOf(result);
            // From the start of the task, and known to get children later: the database looks for those only.
            const isLateParent = (ordinal: number): boolean =>
              runtime.steps[ordinal]?.initial === true &&
              (runtime.graph.children[ordinal] ?? []).some(
                (child) => runtime.steps[child]?.initial === false,
              );
            checkEdges(plan, (ordinal) => ordinal === batchable || isLateParent(ordinal));
            const reach = transitiveDescendants(runtime.graph, workers);
            for (const { ordinal } of plan.steps) {
              expect(runtime.steps[ordinal]?.type).not.toBe("batch_worker");
              expect(runtime.steps[ordinal]?.initial).toBe(false);
              expect(reach).toContain(ordinal);
              expect(hasEdgeIn(plan, ordinal)).toBe(true);
            }
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(expanded).toBeGreaterThan(50);
  });
});
