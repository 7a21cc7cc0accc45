import { EVENT_SUBSCRIBER, hasBrand } from "../brand.js";
import { processWide } from "../process-wide.js";
import type { LifecycleEvent } from "./lifecycle-event.js";

type HandlerMethod = (event: LifecycleEvent) => void | Promise<void>;

/** What a host subscribes: patterns, and one function for all of them. */
export interface LifecycleSubscription {
  readonly name: string;
  readonly patterns: readonly string[];
  handle(event: LifecycleEvent): void | Promise<void>;
}

/**
 * Base of classes that listen to tasks and steps. An event `step.completed` calls `handleStepCompleted(event)`; one
 * without such a method calls `handle(event)`. What a subscriber throws is logged and counted, and changes nothing.
 *
 * ```ts
 * export class Audit extends EventSubscriber {
 *   static override subscribeTo = ["step.completed", "task.*"];
 *   async handleStepCompleted(event: LifecycleEvent) { ... }
 * }
 * ```
 */
export abstract class EventSubscriber {
  /** Exact names, `prefix.*`, or `*`. */
  static readonly subscribeTo: string | readonly string[] = [];

  static get [EVENT_SUBSCRIBER](): true {
    return true;
  }

  /** Events that have no method of their own. */
  handle(_event: LifecycleEvent): void | Promise<void> {}
}

export interface EventSubscriberClass {
  new (): object;
  readonly name: string;
  readonly subscribeTo: string | readonly string[];
}

/** A subclass of EventSubscriber, from whichever copy of the package. */
export function isEventSubscriberClass(value: unknown): value is EventSubscriberClass {
  // The base itself has the brand as its own; subclasses inherit it.
  return (
    typeof value === "function" &&
    hasBrand(value, EVENT_SUBSCRIBER) &&
    !Object.hasOwn(value, EVENT_SUBSCRIBER)
  );
}

/** One instance of the class, with its patterns: those of the instance when it has any, else those of the class. */
export function subscriptionOf(type: EventSubscriberClass): LifecycleSubscription {
  const subscriber = new type() as Record<string, unknown>;
  const own = subscriber["subscribeTo"] as string | readonly string[] | undefined;
  const patterns = [own ?? type.subscribeTo].flat() as string[];
  return {
    name: type.name,
    patterns,
    handle: (event) => {
      const method = subscriber[methodFor(event.type)] ?? subscriber["handle"];
      return (method as HandlerMethod | undefined)?.call(subscriber, event);
    },
  };
}

/** `step.retry_requested` -> `handleStepRetryRequested` */
export function methodFor(type: string): string {
  const words = type.split(/[._]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `handle${words.join("")}`;
}

// Called while handler files load; the host that loads them asks for what was declared.
const declared = (): Set<LifecycleSubscription> =>
  processWide("lifecycle-subscriptions", () => new Set<LifecycleSubscription>());

/**
 * Declares a listener in a handler file: the host that loads the file subscribes it. A program with an engine of its own
 * uses `engine.events.subscribe`.
 * @returns takes the declaration back; without effect once a host has subscribed it
 */
export function onEvent(
  patterns: string | readonly string[],
  handle: (event: LifecycleEvent) => void | Promise<void>,
): () => void {
  const list = [patterns].flat();
  if (list.length === 0)
    throw new Error("onEvent: name at least one event, for example step.completed");
  const subscription = { name: handle.name || "onEvent", patterns: list, handle };
  declared().add(subscription);
  return () => void declared().delete(subscription);
}

/** What was declared since the last call, for the host to subscribe. */
export function takeDeclaredSubscriptions(): LifecycleSubscription[] {
  const taken = [...declared()];
  declared().clear();
  return taken;
}
