import { DOMAIN_EVENT_PUBLISHER, hasBrand } from "../brand.js";
import { type LogSink, silentSink } from "../logger.js";
import { type EventLogger, eventLogger } from "./event-logger.js";
import type { EventDeclaration, PublishContext, StepEventContext, StepResult } from "./types.js";

export type EventPayload = Readonly<Record<string, unknown>>;

/**
 * Decides what a domain event says. A template names it under `publisher`; the host calls the hooks, queues the event and
 * hands it to subscribers. Hooks are synchronous: a durable event is stored with the result that it is about.
 */
export abstract class BasePublisher {
  abstract readonly publisherName: string;
  /** Set by the host. */
  logSink: LogSink = silentSink;
  protected readonly logger: EventLogger = eventLogger(() => this.logSink);

  get [DOMAIN_EVENT_PUBLISHER](): true {
    return true;
  }

  /** The event's payload. Default: the handler's result. */
  transformPayload(
    stepResult: StepResult,
    _declaration?: EventDeclaration,
    _context?: StepEventContext,
  ): EventPayload {
    return stepResult.result ?? {};
  }

  /** Asked after the declaration's condition was met. */
  shouldPublish(
    _stepResult: StepResult,
    _declaration?: EventDeclaration,
    _context?: StepEventContext,
  ): boolean {
    return true;
  }

  /** Goes into the event's metadata, beside what every event has. */
  additionalMetadata(
    _stepResult: StepResult,
    _declaration?: EventDeclaration,
    _context?: StepEventContext,
  ): EventPayload {
    return {};
  }

  /** A falsy answer cancels the event; so does a method that answers nothing. */
  beforePublish(_eventName: string, _payload: EventPayload, _metadata: EventPayload): boolean {
    return true;
  }

  /** After the commit. */
  afterPublish(_eventName: string, _payload: EventPayload, _metadata: EventPayload): void {}

  /** What `beforePublish` or `afterPublish` threw. */
  onPublishError(_eventName: string, _error: unknown, _payload: EventPayload): void {}

  /** Runs the hooks and nothing else: the host does the publishing. True when the event would be published. */
  publish(context: PublishContext): boolean {
    const prepared = preparePublication(this, context);
    if (prepared === null) return false;
    return finishPublication(this, prepared);
  }
}

export class DefaultPublisher extends BasePublisher {
  readonly publisherName = "DefaultDomainEventPublisher";
}

export interface PreparedPublication {
  readonly eventName: string;
  readonly payload: EventPayload;
  readonly metadata: EventPayload;
  readonly additional: EventPayload;
}

/**
 * Everything before the event is stored; null when a hook declines.
 * @throws what the hooks but `beforePublish` throw
 */
export function preparePublication(
  publisher: BasePublisher,
  { eventName, stepResult, eventDeclaration, stepContext }: PublishContext,
): PreparedPublication | null {
  if (!publisher.shouldPublish(stepResult, eventDeclaration, stepContext)) return null;
  const payload = publisher.transformPayload(stepResult, eventDeclaration, stepContext);
  if (payload instanceof Promise) {
    throw new TypeError(
      `transformPayload of publisher ${publisher.publisherName} must return the payload itself, not a promise`,
    );
  }
  const additional = publisher.additionalMetadata(stepResult, eventDeclaration, stepContext);
  const metadata = {
    publisher: publisher.publisherName,
    publishedAt: new Date().toISOString(),
    taskUuid: stepContext?.taskUuid,
    stepUuid: stepContext?.stepUuid,
    stepName: stepContext?.stepName,
    namespace: stepContext?.namespace,
    ...additional,
  };
  try {
    if (!publisher.beforePublish(eventName, payload, metadata)) return null;
  } catch (error) {
    publisher.onPublishError(eventName, error, payload);
    return null;
  }
  return { eventName, payload, metadata, additional };
}

/** After the event was stored. False when `afterPublish` threw; the event stays published. */
export function finishPublication(
  publisher: BasePublisher,
  { eventName, payload, metadata }: PreparedPublication,
): boolean {
  try {
    publisher.afterPublish(eventName, payload, metadata);
    return true;
  } catch (error) {
    publisher.onPublishError(eventName, error, payload);
    return false;
  }
}

/** From whichever copy of the package. */
export function isPublisher(value: unknown): value is BasePublisher {
  return typeof value === "object" && hasBrand(value, DOMAIN_EVENT_PUBLISHER);
}

/** A concrete subclass of BasePublisher, from whichever copy: constructed without arguments. */
export function isPublisherClass(value: unknown): value is new () => BasePublisher {
  if (typeof value !== "function") return false;
  const { prototype } = value as { readonly prototype?: object };
  if (typeof prototype !== "object" || prototype === null) return false;
  // The base itself has the brand as its own; subclasses inherit it.
  return DOMAIN_EVENT_PUBLISHER in prototype && !Object.hasOwn(prototype, DOMAIN_EVENT_PUBLISHER);
}
