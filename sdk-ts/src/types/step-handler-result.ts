/** Existing handler files import results from this path. */
export type { BatchWorkerConfig } from "../batch/types.js";
export {
  StepHandlerResult,
  type StepHandlerResult as BatchableResult,
  type StepHandlerResultParams,
} from "../result.js";
