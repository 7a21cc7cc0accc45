/** Entry `@tasker-core/sdk/host`: what a process needs that runs step handlers. */
export { Cancellation, type CancelReason, StepCancelledError } from "./cancellation.js";
export {
  type BasePublisher,
  type BaseSubscriber,
  type DomainEvent,
  type DomainEventEnvelope,
  finishPublication,
  type PreparedPublication,
  PublisherRegistry,
  preparePublication,
  SubscriberRegistry,
  toDomainEvent,
} from "./domain-events/index.js";
export { matchesAny } from "./event-pattern.js";
export type { LifecycleSubscription } from "./events/event-subscriber.js";
export type { LifecycleError, LifecycleEvent } from "./events/lifecycle-event.js";
export {
  type FfiStepEvent,
  type StepEventIds,
  toFfiStepEvent,
  type WireTaskSequenceStep,
} from "./ffi-event.js";
export { isStepHandlerClass, type StepHandlerClass } from "./handler.js";
export { type CollectedEvents, collectEvents } from "./host/collect-events.js";
export { collectHandlers } from "./host/collect-handlers.js";
export { collectTemplates } from "./host/collect-tasks.js";
export { type ExecuteStepOptions, executeStep } from "./host/execute-step.js";
export type {
  ExecutionFailureKind,
  ResultKind,
  StepExecution,
  StepFailed,
  StepSucceeded,
  StepYielded,
} from "./host/outcome.js";
export { encodeJson, type JsonEncoding } from "./json.js";
export type { LogFields, LogLevel, LogSink } from "./logger.js";
export { ResolverChain } from "./registry/resolver-chain.js";
export { HandlerRegistry } from "./registry.js";
export { findHandlerFiles, findIndexFiles, isDirectory } from "./worker/handler-files.js";
