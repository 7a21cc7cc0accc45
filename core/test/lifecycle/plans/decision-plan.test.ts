import { describe, expect, it } from "vitest";
import { segmentationCases, stepsOf } from "../../../../test/conformance/rules/load.js";
import type { JsonValue } from "../../../src/lib/json-number.js";
import { parseJson } from "../../../src/lib/parse-json.js";
import { after, step, typed } from "../../model/builders.js";
import { choose, fromSteps, fromYaml, named, planOf, resultOf, worker } from "./support.js";

const start = [after("start"), typed("decision", "route", "start")];

describe("steps created by a decision", () => {
  it.each(segmentationCases("choose"))("$name", (one) => {
    const runtime = fromSteps(...stepsOf(one.steps));
    const plan = planOf(resultOf(runtime, one.completes ?? "", choose(...one.choose)));
    expect(plan.workers).toEqual([]);
    const seen = named(runtime, plan);
    expect(seen.created.toSorted()).toEqual(one.created?.toSorted());
    expect(seen.edges.toSorted()).toEqual(one.edges?.toSorted());
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
