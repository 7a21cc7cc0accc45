import { StateError } from "../../errors/index.js";
import type { JsonValue } from "../../lib/json-number.js";
import type { RuntimeTemplate } from "../runtime-template.js";
import { batchPlan } from "./batch-plan.js";
import { decisionPlan } from "./decision-plan.js";
import { NOTHING, type PlanLimits, type PlanResult } from "./plan.js";

/**
 * What the step at `ordinal` creates by completing with `resultValue`, the `result` of its execution result.
 * Call it for results whose status is `completed`. Pure: it knows the template, not what a run has made of it.
 *
 * @throws StateError TEMPLATE_INVALID when the template has no such ordinal, or is stored out of order
 */
export function planFor(
  template: RuntimeTemplate,
  ordinal: number,
  resultValue: JsonValue,
  limits: PlanLimits,
): PlanResult {
  const step = template.steps[ordinal];
  if (step === undefined) {
    throw new StateError(
      "TEMPLATE_INVALID",
      `${template.name} ${template.version} has ${template.steps.length} steps, asked for ordinal ${ordinal}`,
    );
  }
  if (step.type === "decision") return decisionPlan(template, step, resultValue, limits);
  if (step.type === "batchable") return batchPlan(template, step, resultValue, limits);
  return NOTHING;
}
