import { findStepTemplate } from "../db/functions/index.js";
import type { Queryable } from "../db/index.js";
import { StateError } from "../errors/index.js";
import type { JsonValue } from "../lib/json-number.js";
import { encodePlan, type PlanLimits, planFor } from "./plans/index.js";
import type { TemplateRegistry } from "./template-registry.js";

export interface ManualPlanDeps {
  readonly db: Queryable;
  readonly templates: TemplateRegistry;
  readonly limits: PlanLimits;
}

export interface ManualPlan {
  /** As `tasker_core._expand_plans` takes it; null when nothing is to be created. */
  readonly plan: string | null;
  /** Why an outcome in the result creates nothing, where somebody may have meant it to; else null. */
  readonly warning: string | null;
}

/**
 * What a result given by hand creates, as the same result of a worker would: branches of a decision, workers of a batch.
 * @throws StateError PLAN_IMPOSSIBLE when the result calls for steps that cannot be created
 */
export async function manualPlan(
  { db, templates, limits }: ManualPlanDeps,
  stepId: bigint,
  result: JsonValue,
): Promise<ManualPlan> {
  const found = await findStepTemplate(db, stepId);
  // No such step: the action itself says so.
  if (found === null) return { plan: null, warning: null };
  await templates.ensure([found.templateId]);
  const template = templates.get(found.templateId);
  if (template === undefined) throw new Error(`template revision ${found.templateId} is missing`);
  const made = planFor(template, found.ordinal, result, limits);
  switch (made.kind) {
    case "none":
      return { plan: null, warning: null };
    case "ignored":
      return { plan: null, warning: made.reason };
    case "expand":
      return { plan: encodePlan(made.plan), warning: null };
    case "impossible": {
      const stepName = template.steps[found.ordinal]?.name ?? "";
      throw new StateError(
        "PLAN_IMPOSSIBLE",
        `Step \`${stepName}\` was not completed: ${made.reason}`,
        { context: { stepName } },
      );
    }
  }
}
