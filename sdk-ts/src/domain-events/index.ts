export type { EventLogger } from "./event-logger.js";
export {
  createDomainEvent,
  createFfiPollAdapter,
  createStepEventContext,
  type DomainEventCallback,
  type DomainEventErrorCallback,
  type DomainEventParts,
  type DomainEventPollerConfig,
  type DomainEventPollFunction,
  ffiEventToDomainEvent,
  InProcessDomainEventPoller,
  type PollerStats,
  type SubscriberStats,
} from "./poller.js";
export {
  BasePublisher,
  DefaultPublisher,
  type EventPayload,
  finishPublication,
  isPublisher,
  isPublisherClass,
  type PreparedPublication,
  preparePublication,
} from "./publisher.js";
export {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherRegistry,
  PublisherValidationError,
  RegistryFrozenError,
} from "./publisher-registry.js";
export {
  BaseSubscriber,
  type DomainEventSource,
  isSubscriber,
  isSubscriberClass,
  type SubscriberClass,
} from "./subscriber.js";
export { SubscriberRegistry } from "./subscriber-registry.js";
export {
  type DomainEvent,
  type DomainEventEnvelope,
  type DomainEventMetadata,
  type EventDeclaration,
  type PublishContext,
  type StepEventContext,
  type StepResult,
  toDomainEvent,
} from "./types.js";
