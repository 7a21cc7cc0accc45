export { Decision } from "./decision.js";
export {
  all,
  type DefinedHandler,
  type Dependency,
  type DependencyRef,
  type DependencyValue,
  from,
  optional,
} from "./dependencies.js";
export {
  type ApiHandlerArgs,
  type ApiHandlerOptions,
  type BatchConfig,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
} from "./handlers.js";
export type { HandlerArgs, HandlerFn, HandlerOptions } from "./options.js";
export type {
  SchemaInput,
  SchemaOutput,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./standard-schema.js";
