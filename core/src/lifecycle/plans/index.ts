export { encodePlan } from "./encode-plan.js";
export type {
  EdgeName,
  ExpansionPlan,
  NodeRef,
  PlanLimits,
  PlannedEdge,
  PlannedStep,
  PlannedWorker,
  PlanResult,
} from "./plan.js";
export { planFor } from "./plan-for.js";
export { planLimits } from "./plan-limits.js";
