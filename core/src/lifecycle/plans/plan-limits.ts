import type { Config } from "../../config/index.js";
import type { PlanLimits } from "./plan.js";

export function planLimits({ orchestration }: Config): PlanLimits {
  const { decision_points, batch_processing } = orchestration;
  return {
    decisionsEnabled: decision_points.enabled,
    maxStepsPerDecision: decision_points.max_steps_per_decision,
    maxDecisionDepth: decision_points.max_decision_depth,
    batchesEnabled: batch_processing.enabled,
    maxWorkers: batch_processing.max_workers_per_batch,
  };
}
