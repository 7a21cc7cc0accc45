import {
  type BasePublisher,
  type BaseSubscriber,
  isPublisher,
  isPublisherClass,
  isSubscriber,
  isSubscriberClass,
} from "../domain-events/index.js";
import {
  isEventSubscriberClass,
  type LifecycleSubscription,
  subscriptionOf,
  takeDeclaredSubscriptions,
} from "../events/event-subscriber.js";

/** What a handler file brings beside handlers. */
export interface CollectedEvents {
  readonly lifecycle: readonly LifecycleSubscription[];
  readonly subscribers: readonly BaseSubscriber[];
  readonly publishers: readonly BasePublisher[];
}

type Collectable = object | (new () => object);

/**
 * Subscribers and publishers that a module exports, as classes or objects, alone or in arrays, and what it declared with
 * `onEvent`.
 * @param seen what was collected before: a class that two files export is made once
 * @throws what the constructor of an exported class throws
 */
export function collectEvents(
  module: Readonly<Record<string, unknown>>,
  seen: Set<unknown> = new Set(),
): CollectedEvents {
  const found = Object.values(module)
    .flat(1)
    .filter((value): value is Collectable => isObject(value) && !seen.has(value));
  const fresh = [...new Set(found)];
  for (const value of fresh) seen.add(value);
  return {
    lifecycle: [
      ...fresh.filter(isEventSubscriberClass).map(subscriptionOf),
      ...takeDeclaredSubscriptions(),
    ],
    subscribers: [
      ...fresh.filter(isSubscriberClass).map((type) => new type()),
      ...fresh.filter(isSubscriber),
    ],
    publishers: [
      ...fresh.filter(isPublisherClass).map((type) => new type()),
      ...fresh.filter(isPublisher),
    ],
  };
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
