import type { StepDelivery, StepFailure, StepSuccess } from "../channels/index.js";
import { parseJson } from "../lib/parse-json.js";
import { encodePlan, type PlanLimits, planFor } from "../lifecycle/plans/index.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import type { Logger } from "../observability/index.js";

export interface ResultPlannerDeps {
  readonly registry: TemplateRegistry;
  readonly enforceSchemas: boolean;
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
 * Looks into results before they are stored, where the template says so: a result that does not match its schema, or
 * that calls for steps which cannot be created, is the step's own failure. All others stay unread bytes.
 */
export class ResultPlanner {
  readonly #deps: ResultPlannerDeps;

  constructor(deps: ResultPlannerDeps) {
    this.#deps = deps;
  }

  plan(delivery: StepDelivery, outcome: StepSuccess): PlannedResult {
    const { registry, limits, logger } = this.#deps;
    const template = registry.get(delivery.templateId);
    const step = template?.steps[delivery.templateOrdinal];
    if (template === undefined || step === undefined) {
      throw new Error(`template revision ${delivery.templateId} is not loaded`);
    }
    const creates = step.type === "decision" || step.type === "batchable";
    if (!creates && step.resultCheck === null) return { outcome };

    const text = Buffer.from(outcome.value).toString("utf8");
    const mismatch = this.#mismatch(delivery, step.resultCheck?.problemsOf(JSON.parse(text)) ?? []);
    if (mismatch !== null) return { outcome: failed(outcome, "invalid_result", mismatch) };
    if (!creates) return { outcome };
    const value = parseJson(text);
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
        return {
          outcome: failed(
            outcome,
            "invalid_plan",
            `Step \`${delivery.stepName}\` asks for steps that cannot be created: ${result.reason}`,
          ),
        };
    }
  }

  /** What is wrong with the result, or null when nothing is or nobody minds. */
  #mismatch(delivery: StepDelivery, problems: readonly string[]): string | null {
    if (problems.length === 0) return null;
    const message = `The result of step \`${delivery.stepName}\` does not match its result_schema: ${problems.join("; ")}`;
    if (this.#deps.enforceSchemas) return message;
    this.#deps.logger.warn({ step_uuid: delivery.stepUuid }, message);
    return null;
  }
}

function failed(outcome: StepSuccess, errorType: string, message: string): StepFailure {
  return {
    outcome: "failure",
    kind: "invalid_result",
    errorType,
    errorCode: null,
    message,
    retryable: false,
    retryAfterMs: null,
    statusCode: null,
    detail: outcome.detail,
    executionMs: outcome.executionMs,
  };
}
