import type { StepDelivery, StepFailure, StepSuccess } from "../channels/index.js";
import { parseJson } from "../lib/parse-json.js";
import {
  type ExpansionPlan,
  type NodeRef,
  type PlanLimits,
  planFor,
} from "../lifecycle/plans/index.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import { ordinalOf } from "../model/index.js";
import type { Logger } from "../observability/index.js";
import type { TaskCache } from "./task-cache.js";

export interface ResultPlannerDeps {
  readonly registry: TemplateRegistry;
  readonly cache: TaskCache;
  readonly limits: PlanLimits;
  readonly logger: Logger;
}

export interface PlannedResult {
  /** The result as it was, or the permanent failure that an impossible plan makes of it. */
  readonly outcome: StepSuccess | StepFailure;
  /** As `tasker_core._expand_plans` takes it; absent when nothing is to be created. */
  readonly plan?: string;
}

/**
 * Reads what the results of decisions and batch analyzers call for, before they are stored: an impossible plan is the
 * step's own failure. The template decides which results are looked into; all others stay unread bytes.
 */
export class ResultPlanner {
  readonly #deps: ResultPlannerDeps;

  constructor(deps: ResultPlannerDeps) {
    this.#deps = deps;
  }

  plan(delivery: StepDelivery, outcome: StepSuccess): PlannedResult {
    const { registry, cache, limits, logger } = this.#deps;
    const template = registry.get(cache.task(delivery.taskId)?.templateId ?? -1);
    const step = template?.steps[ordinalOf(delivery.stepId)];
    if (template === undefined || step === undefined) return { outcome };
    if (step.type !== "decision" && step.type !== "batchable") return { outcome };

    const value = parseJson(Buffer.from(outcome.value).toString("utf8"));
    const result = planFor(template, step.ordinal, value, limits);
    switch (result.kind) {
      case "none":
        return { outcome };
      case "ignored":
        logger.warn(
          { step_uuid: delivery.stepUuid, correlation_id: delivery.correlationId },
          `step ${delivery.stepName} created nothing: ${result.reason}`,
        );
        return { outcome };
      case "expand":
        return { outcome, plan: encodePlan(result.plan) };
      case "impossible":
        return { outcome: impossiblePlan(delivery, outcome, result.reason) };
    }
  }
}

function impossiblePlan(delivery: StepDelivery, outcome: StepSuccess, reason: string): StepFailure {
  return {
    outcome: "failure",
    kind: "invalid_result",
    errorType: "invalid_plan",
    errorCode: null,
    message: `Step \`${delivery.stepName}\` asks for steps that cannot be created: ${reason}`,
    retryable: false,
    retryAfterMs: null,
    statusCode: null,
    detail: outcome.detail,
    executionMs: outcome.executionMs,
  };
}

/** Nodes are ordinals of the template; worker n is -1 - n. */
function encodePlan(plan: ExpansionPlan): string {
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
