import { describe, expect, it } from "vitest";
import type { JsonValue } from "../../../src/lib/json-number.js";
import { parseJson } from "../../../src/lib/parse-json.js";
import type { StepDefinition } from "../../../src/model/index.js";
import { after, step, typed } from "../../model/builders.js";
import { choose, fromSteps, fromYaml, named, planOf, resultOf, worker } from "./support.js";

interface Case {
  name: string;
  steps: StepDefinition[];
  /** Which decision completes; `route` unless said. */
  decision?: string;
  choose: string[];
  created: string[];
  edges: string[];
}

const start = [after("start"), typed("decision", "route", "start")];

const cases: Case[] = [
  {
    name: "a requested step gets its edge from the decision, and siblings stay uncreated",
    steps: [...start, after("a", "route"), after("b", "route")],
    choose: ["a"],
    created: ["a"],
    edges: ["route > a"],
  },
  {
    name: "a name requested twice is one step",
    steps: [...start, after("a", "route")],
    choose: ["a", "a"],
    created: ["a"],
    edges: ["route > a"],
  },
  {
    name: "closure: what stands behind a requested step comes along",
    steps: [...start, after("a", "route"), after("b", "a"), after("c", "b"), after("d", "route")],
    choose: ["a"],
    created: ["a", "b", "c"],
    edges: ["route > a", "a > b", "b > c"],
  },
  {
    name: "a step in the middle of the segment can be requested; what it skips is replaced by the decision",
    steps: [...start, after("a", "route"), after("b", "a"), after("c", "b")],
    choose: ["b"],
    created: ["b", "c"],
    edges: ["route > b", "b > c"],
  },
  {
    name: "closure over one satisfied dependency: an unchosen branch is replaced by the decision",
    steps: [...start, after("a", "route"), after("b", "route"), after("both", "a", "b")],
    choose: ["a"],
    created: ["a", "both"],
    edges: ["route > a", "a > both", "route > both"],
  },
  {
    name: "ours: several missing dependencies give one edge from the decision",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      after("c", "route"),
      after("all", "a", "b", "c"),
    ],
    choose: ["a"],
    created: ["a", "all"],
    edges: ["route > a", "a > all", "route > all"],
  },
  {
    name: "a dependency that exists already is not looked up: the decision stands in for it",
    steps: [...start, after("other"), after("a", "route", "other")],
    choose: ["a"],
    created: ["a"],
    edges: ["route > a"],
  },
  {
    name: "a convergence waits for exactly the chosen ones",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      after("c", "route"),
      typed("deferred_convergence", "join", "a", "b", "c", "route"),
    ],
    choose: ["a", "c"],
    created: ["a", "c", "join"],
    edges: ["route > a", "route > c", "a > join", "c > join"],
  },
  {
    name: "a convergence that joins nothing chosen is not created",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("deferred_convergence", "join", "b"),
    ],
    choose: ["a"],
    created: ["a"],
    edges: ["route > a"],
  },
  {
    name: "closure passes no convergence by itself: only the intersection decides",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "a"),
      typed("deferred_convergence", "join", "b"),
    ],
    choose: ["a"],
    created: ["a", "b", "join"],
    edges: ["route > a", "a > b", "b > join"],
  },
  {
    name: "a convergence on a convergence, and what stands behind both",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("deferred_convergence", "join", "a", "b"),
      typed("deferred_convergence", "join_all", "join", "b"),
      after("report", "join_all"),
      after("mail", "report", "route"),
    ],
    choose: ["a"],
    created: ["a", "join", "join_all", "report", "mail"],
    edges: [
      "route > a",
      "a > join",
      "join > join_all",
      "join_all > report",
      "report > mail",
      "route > mail",
    ],
  },
  {
    name: "behind a convergence every dependency must be there",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("deferred_convergence", "join", "a", "b"),
      typed("deferred_convergence", "other_join", "b"),
      after("report", "join", "other_join"),
      after("behind", "report"),
    ],
    choose: ["a"],
    created: ["a", "join"],
    edges: ["route > a", "a > join"],
  },
  {
    name: "a requested convergence comes without edges from what was not chosen",
    steps: [...start, after("a", "route"), typed("deferred_convergence", "join", "a", "route")],
    choose: ["join"],
    created: ["join"],
    edges: [],
  },
  {
    name: "the next decision is created with the first branch, what stands behind it is not",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("decision", "second", "b"),
      after("c", "second"),
    ],
    choose: ["a"],
    created: ["a", "second"],
    edges: ["route > a", "route > second"],
  },
  {
    name: "a decision directly behind the decision is created although it cannot be named",
    steps: [
      ...start,
      after("a", "route"),
      typed("decision", "second", "route"),
      after("c", "second"),
    ],
    choose: ["a"],
    created: ["a", "second"],
    edges: ["route > a", "route > second"],
  },
  {
    name: "nested: the second decision creates its own branch, joined by the common convergence",
    decision: "second",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("decision", "second", "b"),
      after("c", "second"),
      after("d", "second"),
      typed("deferred_convergence", "join", "a", "c", "d"),
      after("report", "join"),
    ],
    choose: ["d"],
    created: ["d", "join", "report"],
    edges: ["second > d", "d > join", "join > report"],
  },
  {
    name: "nested: the first decision joins what it chose, and leaves the rest to the second",
    steps: [
      ...start,
      after("a", "route"),
      after("b", "route"),
      typed("decision", "second", "b"),
      after("c", "second"),
      typed("deferred_convergence", "join", "a", "second", "c"),
    ],
    choose: ["a", "b"],
    created: ["a", "b", "second", "join"],
    edges: ["route > a", "route > b", "b > second", "a > join", "second > join"],
  },
  {
    name: "a decision behind a convergence is created; its branches are not",
    steps: [
      ...start,
      after("a", "route"),
      typed("decision", "second", "a"),
      typed("deferred_convergence", "join", "second"),
      typed("decision", "third", "join"),
      after("branch", "third"),
      typed("deferred_convergence", "end", "third"),
    ],
    choose: ["a"],
    created: ["a", "second", "join", "third"],
    edges: ["route > a", "a > second", "second > join", "join > third"],
  },
  {
    name: "a batch in a branch: the worker template and its convergence are left to the batch",
    steps: [
      ...start,
      typed("batchable", "analyze", "route"),
      worker("work", ["analyze"]),
      typed("deferred_convergence", "merge", "work"),
      after("report", "merge"),
    ],
    choose: ["analyze"],
    created: ["analyze"],
    edges: ["route > analyze"],
  },
  {
    name: "ours: a convergence of a branch and of workers to come waits for the analyzer",
    steps: [
      ...start,
      after("a", "route"),
      typed("batchable", "analyze", "route"),
      worker("work", ["analyze"]),
      typed("deferred_convergence", "merge", "a", "work"),
    ],
    choose: ["a", "analyze"],
    created: ["a", "analyze", "merge"],
    edges: ["route > a", "route > analyze", "a > merge", "analyze > merge"],
  },
];

describe("steps created by a decision", () => {
  it.each(cases)("$name", ({ steps, decision, choose: names, created, edges }) => {
    const runtime = fromSteps(...steps);
    const plan = planOf(resultOf(runtime, decision ?? "route", choose(...names)));
    expect(plan.workers).toEqual([]);
    const seen = named(runtime, plan);
    expect(seen.created.toSorted()).toEqual(created.toSorted());
    expect(seen.edges.toSorted()).toEqual(edges.toSorted());
    const ordinals = plan.steps.map(({ ordinal }) => ordinal);
    expect(ordinals).toEqual(ordinals.toSorted((left, right) => left - right));
  });
});

describe("a conditional approval", () => {
  const runtime = fromYaml(`
name: approval
namespace_name: payments
version: 1.0.0
steps:
  - { name: validate_request, handler: { callable: validate } }
  - { name: routing_decision, type: decision, dependencies: [validate_request], handler: { callable: route } }
  - { name: auto_approve, dependencies: [routing_decision], handler: { callable: auto } }
  - { name: manager_approval, dependencies: [routing_decision], handler: { callable: manager } }
  - { name: finance_review, dependencies: [routing_decision], handler: { callable: finance } }
  - name: finalize_approval
    type: deferred_convergence
    dependencies: [auto_approve, manager_approval, finance_review]
    handler: { callable: finalize }
`);
  const routes: { amount: string; names: string[] }[] = [
    { amount: "small", names: ["auto_approve"] },
    { amount: "medium", names: ["manager_approval"] },
    { amount: "large", names: ["manager_approval", "finance_review"] },
  ];

  it.each(routes)("a $amount amount runs $names, then finalizes", ({ names }) => {
    const seen = named(runtime, planOf(resultOf(runtime, "routing_decision", choose(...names))));
    expect(seen.created.toSorted()).toEqual([...names, "finalize_approval"].toSorted());
    expect(seen.edges.toSorted()).toEqual(
      names
        .flatMap((name) => [`routing_decision > ${name}`, `${name} > finalize_approval`])
        .toSorted(),
    );
  });
});

const branches = fromSteps(
  ...start,
  after("auto_approve", "route"),
  worker("work", ["route"]),
  after("gap", "route"),
  typed("decision", "second", "gap"),
  after("far", "second"),
);

describe("a decision that cannot be carried out", () => {
  const refused: { name: string; value: JsonValue; limits?: object; reason: RegExp }[] = [
    {
      name: "an unknown step, with the nearest name",
      value: choose("auto_aprove"),
      reason: /`route` requests `auto_aprove`, which is no step .*`auto_approve`/,
    },
    { name: "one unknown among known", value: choose("gap", "zzz"), reason: /`zzz`/ },
    { name: "a step before it", value: choose("start"), reason: /`start`, which it cannot reach/ },
    { name: "itself", value: choose("route"), reason: /`route` requests `route`/ },
    { name: "a step behind the next decision", value: choose("far"), reason: /cannot reach/ },
    { name: "the next decision", value: choose("second"), reason: /cannot be named/ },
    { name: "a batch worker", value: choose("work"), reason: /a batch worker/ },
    {
      name: "more names than allowed, repetitions included",
      value: choose("gap", "gap", "gap"),
      limits: { maxStepsPerDecision: 2 },
      reason: /3 steps.*max_steps_per_decision \(2\)/,
    },
    {
      name: "decisions switched off",
      value: choose("gap"),
      limits: { decisionsEnabled: false },
      reason: /decision_points\.enabled/,
    },
  ];
  it.each(refused)("$name", ({ value, limits, reason }) => {
    const result = resultOf(branches, "route", value, limits);
    expect(result).toMatchObject({ kind: "impossible", reason: expect.stringMatching(reason) });
  });

  it("a decision nobody depends on can request nothing", () => {
    const runtime = fromSteps(...start, after("aside"));
    expect(resultOf(runtime, "route", choose("aside")).kind).toBe("impossible");
  });

  it("depth counts the decisions on the longest path, the deciding one included", () => {
    const limits = { maxDecisionDepth: 1 };
    expect(resultOf(branches, "route", choose("gap"), limits).kind).toBe("expand");
    expect(resultOf(branches, "second", choose("far"), limits)).toMatchObject({
      kind: "impossible",
      reason: expect.stringMatching(/number 2 .*max_decision_depth \(1\)/),
    });
    expect(resultOf(branches, "second", choose("far"), { maxDecisionDepth: 2 }).kind).toBe(
      "expand",
    );
  });
});

describe("a decision that asks for nothing", () => {
  const nothing: JsonValue[] = [
    null,
    "text",
    [],
    {},
    { other: { type: "create_steps" } },
    { decision_point_outcome: { type: "no_branches" } },
    choose(),
  ];
  it.each(nothing.map((value) => [JSON.stringify(value), value] as const))("%s", (_, value) => {
    expect(resultOf(branches, "route", value)).toEqual({ kind: "none" });
    expect(resultOf(branches, "route", value, { decisionsEnabled: false }).kind).toBe("none");
  });

  const malformed: [string, RegExp][] = [
    [`{"decision_point_outcome":"no_branches"}`, /an object, got "no_branches"/],
    [`{"decision_point_outcome":null}`, /an object, got `null`/],
    [`{"decision_point_outcome":{}}`, /\.type` to be .*got nothing/],
    [`{"decision_point_outcome":{"type":"CreateSteps","step_names":["gap"]}}`, /"CreateSteps"/],
    [`{"decision_point_outcome":{"type":"create_steps"}}`, /step_names/],
    [`{"decision_point_outcome":{"type":"create_steps","step_names":"gap"}}`, /got "gap"/],
    [`{"decision_point_outcome":{"type":"create_steps","step_names":["gap",1]}}`, /a list/],
    [`{"decision_point_outcome":{"type":1.0}}`, /got `1\.0`/],
  ];
  it.each(malformed)("%s is ignored with a reason", (text, reason) => {
    expect(resultOf(branches, "route", parseJson(text))).toMatchObject({
      kind: "ignored",
      reason: expect.stringMatching(reason),
    });
  });

  it("steps of other types decide nothing, whatever their result says", () => {
    expect(resultOf(branches, "start", choose("gap"))).toEqual({ kind: "none" });
    const runtime = fromSteps(step("analyze", { type: "batchable" }), after("b", "analyze"));
    expect(resultOf(runtime, "analyze", choose("b"))).toEqual({ kind: "none" });
  });
});
