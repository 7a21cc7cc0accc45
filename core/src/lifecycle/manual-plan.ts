import { findStepTemplate } from "../db/functions/index.js";
import type { Queryable } from "../db/index.js";
import { StateError } from "../errors/index.js";
import { type JsonValue, stringifyJson } from "../lib/json-number.js";
import { encodePlan, type PlanLimits, planFor } from "./plans/index.js";
import type { TemplateRegistry } from "./template-registry.js";

export interface ManualPlanDeps {
  readonly db: Queryable;
  readonly templates: TemplateRegistry;
  readonly limits: PlanLimits;
  /** False under the compatibility profile: a result need not match the step's `result_schema`. */
  readonly enforceSchemas: boolean;
}

export interface ManualPlan {
  /** As `tasker_core._expand_plans` takes it; null when nothing is to be created. */
  readonly plan: string | null;
  /** Why an outcome in the result creates nothing, where somebody may have meant it to; else null. */
  readonly warning: string | null;
}

/**
 * What a result given by hand creates, as the same result of a worker would: branches of a decision, workers of a batch.
 * @throws StateError RESULT_INVALID when it does not match the step's `result_schema`; PLAN_IMPOSSIBLE when it calls for
 *   steps that cannot be created
 */
export async function manualPlan(
  { db, templates, limits, enforceSchemas }: ManualPlanDeps,
  stepId: bigint,
  result: JsonValue,
): Promise<ManualPlan> {
  const found = await findStepTemplate(db, stepId);
  // No such step: the action itself says so.
  if (found === null) return { plan: null, warning: null };
  await templates.ensure([found.templateId]);
  const template = templates.get(found.templateId);
  if (template === undefined) throw new Error(`template revision ${found.templateId} is missing`);
  const step = template.steps[found.ordinal];
  const stepName = step?.name ?? "";
  const problems = step?.resultCheck?.problemsOf(JSON.parse(stringifyJson(result))) ?? [];
  if (problems.length > 0 && enforceSchemas) {
    throw new StateError(
      "RESULT_INVALID",
      `Step \`${stepName}\` was not completed: the result does not match its result_schema: ${problems.join("; ")}`,
      { context: { stepName } },
    );
  }
  const made = planFor(template, found.ordinal, result, limits);
  switch (made.kind) {
    case "none":
      return { plan: null, warning: null };
    case "ignored":
      return { plan: null, warning: made.reason };
    case "expand":
      return { plan: encodePlan(made.plan), warning: null };
    case "impossible":
      throw new StateError(
        "PLAN_IMPOSSIBLE",
        `Step \`${stepName}\` was not completed: ${made.reason}`,
        { context: { stepName } },
      );
  }
}
