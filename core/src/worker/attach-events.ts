import { type CollectedEvents, type LogSink, SubscriberRegistry } from "@tasker-core/sdk/host";
import type { DomainEventBus, LifecycleBus } from "../lifecycle/events/index.js";
import type { Logger } from "../observability/index.js";

export interface EventBuses {
  readonly lifecycle: LifecycleBus;
  readonly domain: DomainEventBus;
  readonly logger: Logger;
}

/**
 * Subscribes what handler files brought, and what they registered in the process-wide `SubscriberRegistry` (by the first
 * host that starts).
 * @returns gives the domain subscribers free for another host; the subscriptions themselves end with their buses
 */
export function attachEvents(
  { lifecycle = [], subscribers = [], publishers = [] }: Partial<CollectedEvents>,
  buses: EventBuses,
): () => void {
  const { logger } = buses;
  for (const { name, patterns, handle } of lifecycle) {
    buses.lifecycle.subscribe(patterns, handle, { name });
  }
  for (const publisher of publishers) {
    publisher.logSink = sinkFor(logger.child({ publisher: publisher.publisherName }));
  }
  const free = [...subscribers, ...SubscriberRegistry.instance.subscribers].filter(
    (subscriber) => !subscriber.active,
  );
  for (const subscriber of free) {
    const { name } = subscriber.constructor;
    subscriber.logSink = sinkFor(logger.child({ subscriber: name }));
    subscriber.start({
      subscribe: (patterns, callback) => buses.domain.subscribe(patterns, callback, { name }),
    });
  }
  return () => {
    for (const subscriber of free) subscriber.stop();
  };
}

function sinkFor(logger: Logger): LogSink {
  return (level, message, fields) => logger[level](fields, message);
}
