/** Existing handler files import the `define…` functions from this path. */
export { PermanentError, RetryableError } from "../errors.js";
export {
  type ApiHandlerArgs,
  type ApiHandlerOptions,
  type BatchConfig,
  Decision,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  type HandlerArgs,
  type HandlerFn,
  type HandlerOptions,
} from "../functional/index.js";
