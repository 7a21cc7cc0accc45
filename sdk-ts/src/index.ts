/** What the author of TypeScript step handlers imports. */
export {
  type APICapable,
  APIMixin,
  ApiHandler,
  type ApiSettings,
  applyAPI,
  type BodyOptions,
} from "./api.js";
export { ApiResponse } from "./api-response.js";
export {
  aggregateBatchResults,
  detectAggregationScenario,
} from "./batch/aggregation.js";
export {
  type BatchAggregationResult,
  type BatchAggregationScenario,
  type BatchAnalyzerOutcome,
  type BatchMetadata,
  type BatchProcessingOutcome,
  type BatchWorkerConfig,
  type BatchWorkerOutcome,
  type CreateBatchesOutcome,
  type CursorConfig,
  createBatches,
  type FailureStrategy,
  isCreateBatches,
  isNoBatches,
  type NoBatchesOutcome,
  noBatches,
  type RustBatchWorkerInputs,
  type RustCursorConfig,
} from "./batch/types.js";
export {
  BatchWorkerContext,
  batchContextOf as createBatchWorkerContext,
} from "./batch/worker-context.js";
export {
  applyBatchable,
  type Batchable,
  BatchableMixin,
  BatchableStepHandler,
} from "./batchable.js";
export { type CancelReason, StepCancelledError } from "./cancellation.js";
export { TaskerClientError } from "./client/http.js";
export type {
  HealthResponse,
  PaginationInfo,
  StepAuditResponse,
  StepReadiness,
  StepResponse,
  TaskListResponse,
  TaskResponse,
} from "./client/responses.js";
export type { ClientSettings } from "./client/settings.js";
export {
  type CreateTaskOptions,
  getTaskerClient,
  type ListTasksOptions,
  TaskerClient,
  type WaitOptions,
} from "./client/tasker-client.js";
export { StepContext, type StepContextParams } from "./context.js";
export {
  applyDecision,
  type DecisionCapable,
  DecisionHandler,
  DecisionMixin,
  type DecisionPointOutcome,
  DecisionType,
} from "./decision.js";
export { defineTask } from "./definitions/define-task.js";
export { registry, TaskRegistry } from "./definitions/registry.js";
export { type StepInfo, TaskDefinition, type TaskInfo } from "./definitions/task-definition.js";
export type { StepArgs, StepSettings, TaskSettings, TaskSteps } from "./definitions/task-types.js";
export {
  BasePublisher,
  BaseSubscriber,
  createDomainEvent,
  createFfiPollAdapter,
  createStepEventContext,
  DefaultPublisher,
  type DomainEvent,
  type DomainEventCallback,
  type DomainEventErrorCallback,
  type DomainEventMetadata,
  type DomainEventParts,
  type DomainEventPollerConfig,
  type DomainEventPollFunction,
  type DomainEventSource,
  DuplicatePublisherError,
  type EventDeclaration,
  type EventLogger,
  type EventPayload,
  ffiEventToDomainEvent,
  InProcessDomainEventPoller,
  type PollerStats,
  type PublishContext,
  PublisherNotFoundError,
  PublisherRegistry,
  PublisherValidationError,
  RegistryFrozenError,
  type StepEventContext,
  type StepResult,
  type SubscriberClass,
  SubscriberRegistry,
  type SubscriberStats,
} from "./domain-events/index.js";
export { ErrorType, isStandardErrorType, isTypicallyRetryable } from "./error-type.js";
export {
  isPermanentError,
  isRetryableError,
  PermanentError,
  RetryableError,
  type RetryableErrorOptions,
  type StepErrorOptions,
} from "./errors.js";
export { EventSubscriber, onEvent } from "./events/event-subscriber.js";
export * from "./events/index.js";
export type {
  LifecycleError,
  LifecycleEvent,
  LifecycleEventName,
} from "./events/lifecycle-event.js";
export {
  type BootstrapConfig,
  type BootstrapResult,
  FfiLayer,
  type FfiLayerConfig,
  type FfiModule,
  getFfiLayer,
  type StopResult,
  type WorkerStatus,
} from "./ffi/index.js";
export type { FfiStepEvent } from "./ffi-event.js";
export {
  type ApiHandlerArgs,
  type ApiHandlerOptions,
  all,
  type BatchConfig,
  Decision,
  type DefinedHandler,
  type Dependency,
  type DependencyRef,
  type DependencyValue,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  from,
  type HandlerArgs,
  type HandlerFn,
  type HandlerOptions,
  optional,
  type SchemaInput,
  type SchemaOutput,
  type StandardIssue,
  type StandardResult,
  type StandardSchema,
} from "./functional/index.js";
export { type ExecutableHandler, StepHandler, type StepHandlerClass } from "./handler.js";
export type { StepLogger } from "./logger.js";
export {
  createLogger,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  setLoggingRuntime,
} from "./logging/index.js";
export {
  effectiveMethod,
  fromCallable,
  fromDto,
  type HandlerDefinition,
  type HandlerSpec,
  hasResolverHint,
  normalizeToDefinition,
  usesMethodDispatch,
} from "./registry/definition.js";
export {
  MethodDispatchError,
  NoResolverMatchError,
  ResolutionError,
  ResolverNotFoundError,
} from "./registry/errors.js";
export { MethodDispatchWrapper } from "./registry/method-dispatch.js";
export { ResolverChain } from "./registry/resolver-chain.js";
export {
  type BaseResolver,
  ClassLookupResolver,
  ExplicitMappingResolver,
  type HandlerEntry,
  type HandlerFactory,
  RegistryResolver,
  type RegistryResolverStatic,
  type ResolverConfig,
} from "./registry/resolvers.js";
export { HandlerRegistry } from "./registry.js";
export {
  type BackoffHint,
  isStepHandlerResult,
  type OrchestrationMetadata,
  StepHandlerResult,
  type StepHandlerResultParams,
} from "./result.js";
export {
  bootstrapWorker,
  getRustVersion,
  getVersion,
  getWorkerStatus,
  healthCheck,
  isWorkerRunning,
  stopWorker,
  transitionToGracefulShutdown,
} from "./worker/bootstrap.js";
export { HandlerSystem } from "./worker/handler-system.js";
export { ShutdownController } from "./worker/shutdown-controller.js";
export {
  StepExecutionSubscriber,
  type StepExecutionSubscriberConfig,
} from "./worker/step-execution-subscriber.js";
export {
  createWorkerServer,
  type WorkerHealth,
  WorkerServer,
  type WorkerServerConfig,
  type WorkerServerState,
  type WorkerServerStatus,
} from "./worker/worker-server.js";
