import { expect } from "vitest";
import { completes, fails, type Shape, type ShapeCase } from "../shape.js";

/** What a decision handler stores: the outcome, and beside it what it was given for readers. */
function routed(steps: readonly string[], amount: number) {
  const decision_point_outcome =
    steps.length === 0 ? { type: "no_branches" } : { type: "create_steps", step_names: steps };
  const reason = steps.length === 0 ? { reason: "nothing to approve" } : {};
  return completes({ decision_point_outcome, routing_context: { amount }, ...reason });
}

const APPROVAL: Shape = {
  name: "approval",
  steps: `  - { name: request, handler: { callable: $approve } }
  - { name: route, type: decision, handler: { callable: $route }, dependencies: [request] }
  - { name: auto_approve, handler: { callable: $approve }, dependencies: [route] }
  - { name: manager_approval, handler: { callable: $approve }, dependencies: [route] }
  - { name: finance_review, handler: { callable: $approve }, dependencies: [route] }
  - name: finalize
    type: deferred_convergence
    handler: { callable: $collect, initialization: { of: [auto_approve, manager_approval, finance_review] } }
    dependencies: [auto_approve, manager_approval, finance_review]`,
  cases: [
    approvalOf(-1, []),
    approvalOf(0, []),
    approvalOf(0.01, ["auto_approve"]),
    approvalOf(1, ["auto_approve"]),
    approvalOf(999, ["auto_approve"]),
    approvalOf(999.99, ["auto_approve"]),
    approvalOf(1_000, ["manager_approval"]),
    approvalOf(4_999, ["manager_approval"]),
    approvalOf(5_000, ["manager_approval", "finance_review"]),
    approvalOf(1_000_000, ["manager_approval", "finance_review"]),
  ],
};

function approvalOf(amount: number, approvals: readonly string[]): ShapeCase {
  const by = (name: string) => [name, completes({ by: name, amount })] as const;
  return {
    title: `${amount} is approved by ${approvals.join(" and ") || "nobody"}`,
    input: () => ({ amount }),
    state: "complete",
    steps: () => ({
      ...Object.fromEntries([by("request")]),
      route: routed(approvals, amount),
      ...Object.fromEntries(approvals.map(by)),
      ...(approvals.length === 0 ? {} : { finalize: completes({ present: approvals }) }),
    }),
  };
}

const decision = (name: string, dependencies: string) =>
  `  - { name: ${name}, type: decision, handler: { callable: $choose, initialization: { choice: ${name} } }, dependencies: [${dependencies}] }\n`;
const plain = (name: string, dependencies = "") =>
  `  - { name: ${name}, handler: { callable: $approve }, dependencies: [${dependencies}] }\n`;
const chosen = (...step_names: string[]) =>
  completes({ decision_point_outcome: { type: "create_steps", step_names } });
const skipped = completes({
  decision_point_outcome: { type: "no_branches" },
  reason: "nothing chosen",
});
const ran = (name: string) => ({ [name]: completes({ by: name, amount: 1 }) });

const LETTERS = ["a", "b", "c"];
const SUBSETS = Array.from({ length: 8 }, (_, bits) =>
  LETTERS.filter((_, bit) => (bits >> bit) % 2 === 1),
);

const CONVERGENCE: Shape = {
  name: "convergence",
  steps: `${plain("start")}${decision("pick", "start")}${LETTERS.map((name) => plain(name, "pick")).join("")}\
  - name: done
    type: deferred_convergence
    handler: { callable: $collect, initialization: { of: [a, b, c] } }
    dependencies: [a, b, c]
${plain("after", "done")}`,
  cases: SUBSETS.map((subset) => ({
    title: `waits for ${subset.join(", ") || "nothing: it is not made"}`,
    input: () => ({ amount: 1, pick: subset }),
    state: "complete",
    steps: () => ({
      ...ran("start"),
      pick: subset.length === 0 ? skipped : chosen(...subset),
      ...Object.assign({}, ...subset.map(ran)),
      ...(subset.length === 0 ? {} : { done: completes({ present: subset }), ...ran("after") }),
    }),
  })),
};

const NESTED: Shape = {
  name: "nested",
  steps: `${plain("start")}${decision("outer", "start")}${plain("left", "outer")}${plain("right", "outer")}\
${decision("inner", "left")}${plain("deep", "inner")}${plain("shallow", "inner")}\
  - name: done
    type: deferred_convergence
    handler: { callable: $collect, initialization: { of: [deep, shallow] } }
    dependencies: [deep, shallow]`,
  cases: [
    nestedCase(["left"], ["deep"]),
    nestedCase(["left"], ["deep", "shallow"]),
    nestedCase(["left", "right"], ["shallow"]),
    nestedCase(["left"], []),
    // The inner decision is made with any branch of the outer one.
    nestedCase(["right"], []),
    nestedCase([], ["deep"]),
  ],
};

function nestedCase(outer: string[], inner: string[]): ShapeCase {
  const isMade = outer.length > 0;
  return {
    title: `${outer.join(", ") || "nothing"}, then ${inner.join(", ") || "nothing"}`,
    input: () => ({ amount: 1, outer, inner }),
    state: "complete",
    steps: () => ({
      ...ran("start"),
      outer: isMade ? chosen(...outer) : skipped,
      ...Object.assign({}, ...outer.map(ran)),
      ...(isMade ? { inner: inner.length > 0 ? chosen(...inner) : skipped } : {}),
      ...(isMade ? Object.assign({}, ...inner.map(ran)) : {}),
      ...(isMade && inner.length > 0 ? { done: completes({ present: inner }) } : {}),
    }),
  };
}

/** The hosts of this suite allow so many decisions on a path. */
export const MAX_DECISION_DEPTH = 3;

const DEEP: Shape = {
  name: "deep",
  steps: `${plain("start")}${decision("one", "start")}${plain("a", "one")}${decision("two", "a")}${plain("b", "two")}\
${decision("three", "b")}${plain("c", "three")}${decision("four", "c")}${plain("d", "four")}`,
  cases: [
    {
      title: "three decisions on a path are allowed",
      input: () => ({ amount: 1, one: ["a"], two: ["b"], three: ["c"], four: [] }),
      state: "complete",
      steps: () => ({ ...downTo("c"), four: skipped }),
    },
    {
      title: "the fourth one that makes steps is refused",
      input: () => ({ amount: 1, one: ["a"], two: ["b"], three: ["c"], four: ["d"] }),
      state: "blocked_by_failures",
      steps: () => ({
        ...downTo("c"),
        four: fails("invalid_plan", expect.stringContaining("max_decision_depth (3)")),
      }),
    },
    {
      title: "a step that is out of reach is refused",
      input: () => ({ amount: 1, one: ["c"] }),
      state: "blocked_by_failures",
      steps: () => ({
        ...ran("start"),
        one: fails("invalid_plan", expect.stringContaining("`c`")),
      }),
    },
  ],
};

function downTo(last: "c") {
  return {
    ...ran("start"),
    one: chosen("a"),
    ...ran("a"),
    two: chosen("b"),
    ...ran("b"),
    three: chosen("c"),
    ...ran(last),
  };
}

export const DECISIONS: readonly Shape[] = [APPROVAL, CONVERGENCE, NESTED, DEEP];
