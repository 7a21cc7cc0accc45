export {
  type CompiledStep,
  type CompiledTemplate,
  type CompileEnvironment,
  compileTemplate,
} from "./compile.js";
export { isDefaultRetry, resolveEnvironment, withWrittenRetry } from "./environment.js";
export { cyclePath, findCycle, findCycles, topologicalOrder } from "./graph-order.js";
export {
  criticalPath,
  dependencyLevels,
  transitiveAncestors,
  transitiveDescendants,
} from "./graph-queries.js";
export {
  type LeaseToken,
  leaseToken,
  type MessageId,
  messageId,
  type StepId,
  type StepUuid,
  stepId,
  stepUuid,
  type TaskId,
  type TaskUuid,
  type TemplateId,
  taskId,
  taskUuid,
  templateId,
} from "./ids.js";
export { initialStepNames, initialSteps } from "./initial-steps.js";
export { type MermaidOptions, toMermaid } from "./mermaid.js";
export { type BackoffDefaults, type ResolvedRetry, resolveRetry } from "./resolve-retry.js";
export { type GraphStep, type StepGraph, stepGraph } from "./step-graph.js";
export {
  MAX_STEPS_PER_TASK,
  ordinalOf,
  stepIdAt,
  stepIdOf,
  stepUuidOf,
  taskIdOf,
} from "./step-identity.js";
export {
  BACKOFF_KINDS,
  type BackoffKind,
  type BatchConfig,
  DEFAULT_RETRY,
  DELIVERY_MODES,
  type DeliveryMode,
  type DomainEventDeclaration,
  type EnvironmentOverride,
  type EnvironmentStepOverride,
  EVENT_CONDITIONS,
  type EventCondition,
  type EventPublication,
  FAILURE_STRATEGIES,
  type FailureStrategy,
  type HandlerDefinition,
  IDENTITY_STRATEGIES,
  type IdentityStrategy,
  type LifecycleConfig,
  type RetryPolicy,
  STALENESS_ACTIONS,
  STEP_TYPES,
  type StalenessAction,
  type StepDefinition,
  type StepType,
  type TaskTemplate,
  type TemplateMetadata,
  templateKey,
} from "./template.js";
export { templateFromJson, templateToJson } from "./template-json.js";
