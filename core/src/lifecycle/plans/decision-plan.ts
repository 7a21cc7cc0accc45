import type { JsonValue } from "../../lib/json-number.js";
import { nearestName } from "../../lib/nearest-name.js";
import type { RuntimeStep, RuntimeTemplate } from "../runtime-template.js";
import { type DecisionSegment, decisionDepth, decisionSegment } from "./decision-segment.js";
import { EdgeList } from "./edge-list.js";
import { analyzersOf } from "./held-back.js";
import { readDecisionOutcome } from "./outcome-parsing.js";
import {
  type ExpansionPlan,
  ignored,
  impossible,
  NOTHING,
  type PlanLimits,
  type PlanResult,
} from "./plan.js";

/** What a completed decision creates (`contract/template.md` section 10). */
export function decisionPlan(
  template: RuntimeTemplate,
  decision: RuntimeStep,
  result: JsonValue,
  limits: PlanLimits,
): PlanResult {
  const outcome = readDecisionOutcome(result);
  if (outcome.type === "malformed") return ignored(outcome.reason);
  if (outcome.type !== "create_steps" || outcome.stepNames.length === 0) return NOTHING;

  const excess = excessOf(template, decision, outcome.stepNames.length, limits);
  if (excess !== null) return impossible(excess);

  const segment = decisionSegment(template, decision.ordinal);
  const requested = new Set<number>();
  for (const name of outcome.stepNames) {
    const ordinal = template.graph.names.indexOf(name);
    const refusal = refusalOf(template, decision, segment, name, template.steps[ordinal]);
    if (refusal !== null) return impossible(refusal);
    requested.add(ordinal);
  }
  return { kind: "expand", plan: expand(template, decision.ordinal, segment, requested) };
}

function excessOf(
  template: RuntimeTemplate,
  decision: RuntimeStep,
  requested: number,
  limits: PlanLimits,
): string | null {
  if (!limits.decisionsEnabled) {
    return `the decision \`${decision.name}\` may not create steps: orchestration.decision_points.enabled is false`;
  }
  if (requested > limits.maxStepsPerDecision) {
    return `the decision \`${decision.name}\` requests ${requested} steps, more than orchestration.decision_points.max_steps_per_decision (${limits.maxStepsPerDecision})`;
  }
  const depth = decisionDepth(template, decision.ordinal);
  if (depth > limits.maxDecisionDepth) {
    return `the decision \`${decision.name}\` is decision number ${depth} on its path, more than orchestration.decision_points.max_decision_depth (${limits.maxDecisionDepth})`;
  }
  return null;
}

function refusalOf(
  template: RuntimeTemplate,
  decision: RuntimeStep,
  { members }: DecisionSegment,
  name: string,
  step: RuntimeStep | undefined,
): string | null {
  const asked = `the decision \`${decision.name}\` requests \`${name}\``;
  if (step === undefined) {
    const names = [...members].map((ordinal) => template.steps[ordinal]?.name ?? "");
    const nearest = nearestName(name, names);
    const hint = nearest === null ? "" : `; did it mean \`${nearest}\`?`;
    return `${asked}, which is no step of ${template.name} ${template.version}${hint}`;
  }
  if (step.type === "batch_worker") {
    return `${asked}, a batch worker: those are created by the result of a batchable step`;
  }
  if (members.has(step.ordinal)) return null;
  if (step.type === "decision") {
    return `${asked}, a decision: those behind \`${decision.name}\` are created with the first requested step and cannot be named`;
  }
  return `${asked}, which it cannot reach: only steps behind it, up to the next decision, can be named`;
}

function expand(
  template: RuntimeTemplate,
  decision: number,
  segment: DecisionSegment,
  requested: ReadonlySet<number>,
): ExpansionPlan {
  const created = new Set([...requested, ...segment.exits]);
  closeOverSegment(template, segment, created);
  const joined = joinConvergences(template, created);
  closeBehindConvergences(template, decision, joined, created);

  const steps = [...created].sort((left, right) => left - right);
  const edges = new EdgeList(template);
  for (const ordinal of steps) addEdges(template, decision, ordinal, created, edges);
  return { steps: steps.map((ordinal) => ({ ordinal })), workers: [], edges: edges.toArray() };
}

// All three passes go by ordinal, a topological order: one pass each finds everything.

/** One dependency in the set is enough, so a step that also follows an unchosen branch comes along. */
function closeOverSegment(
  template: RuntimeTemplate,
  { members }: DecisionSegment,
  created: Set<number>,
): void {
  for (const { ordinal, type, dependencies } of template.steps) {
    if (!members.has(ordinal) || type === "deferred_convergence" || type === "batch_worker")
      continue;
    if (dependencies.some((dependency) => created.has(dependency))) created.add(ordinal);
  }
}

/** Every convergence that joins something of the set, earlier convergences included; returns those added. */
function joinConvergences(template: RuntimeTemplate, created: Set<number>): Set<number> {
  const joined = new Set<number>();
  for (const { ordinal, type, dependencies } of template.steps) {
    if (type !== "deferred_convergence") continue;
    if (!dependencies.some((dependency) => created.has(dependency))) continue;
    created.add(ordinal);
    joined.add(ordinal);
  }
  return joined;
}

/** Steps behind the convergences that wait for nothing outside the set. */
function closeBehindConvergences(
  template: RuntimeTemplate,
  decision: number,
  joined: ReadonlySet<number>,
  created: Set<number>,
): void {
  const behind = new Set(joined);
  for (const { ordinal, type, dependencies } of template.steps) {
    if (created.has(ordinal) || type === "batch_worker") continue;
    if (!dependencies.some((dependency) => behind.has(dependency))) continue;
    if (!dependencies.every((parent) => created.has(parent) || parent === decision)) continue;
    created.add(ordinal);
    // What stands behind a decision is created by that decision's own result.
    if (type !== "decision") behind.add(ordinal);
  }
}

function addEdges(
  template: RuntimeTemplate,
  decision: number,
  ordinal: number,
  created: ReadonlySet<number>,
  edges: EdgeList,
): void {
  const step = template.steps[ordinal] as RuntimeStep;
  for (const dependency of step.dependencies) {
    if (created.has(dependency)) edges.provide(dependency, ordinal);
    else if (step.type !== "deferred_convergence") edges.provide(decision, ordinal);
    else {
      // Workers do not exist yet: until they do, the step that will make them stands in for them.
      const analyzers = analyzersOf(template, dependency).filter((one) => created.has(one));
      for (const analyzer of analyzers) edges.provide(analyzer, ordinal);
    }
  }
}
