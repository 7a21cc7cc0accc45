import { afterEach, describe, expect, it } from "vitest";
import { isEventSubscriberClass, subscriptionOf } from "../src/events/event-subscriber.js";
import { collectEvents } from "../src/host.js";
import {
  BasePublisher,
  BaseSubscriber,
  type DomainEvent,
  DuplicatePublisherError,
  EventSubscriber,
  type LifecycleEvent,
  onEvent,
  PublisherRegistry,
  PublisherValidationError,
  RegistryFrozenError,
  SubscriberRegistry,
} from "../src/index.js";

const event = (type: string): LifecycleEvent => ({
  type,
  task_id: "t",
  step_name: "s",
  namespace: "n",
  task_name: "task",
  version: "1.0.0",
  context: {},
  duration: 1,
  timestamp: "2026-01-01T00:00:00.000Z",
  correlation_id: "c",
});

const domainEvent = (eventName: string): DomainEvent => ({
  eventId: "1",
  eventName,
  payload: {},
  businessPayload: { a: 1 },
  metadata: { taskUuid: "t", stepUuid: "s", namespace: "n", correlationId: "c", firedAt: "" },
  executionResult: { success: true },
});

afterEach(() => {
  PublisherRegistry.instance.reset();
  SubscriberRegistry.instance.reset();
});

describe("lifecycle subscribers", () => {
  it("calls the method named for the event, else handle", async () => {
    const calls: string[] = [];
    class Audit extends EventSubscriber {
      static override subscribeTo = ["step.*"];
      handleStepCompleted(completed: LifecycleEvent) {
        calls.push(`own ${completed.type}`);
      }
      override handle(other: LifecycleEvent) {
        calls.push(`any ${other.type}`);
      }
    }
    const subscription = subscriptionOf(Audit);
    expect(subscription.patterns).toEqual(["step.*"]);
    await subscription.handle(event("step.completed"));
    await subscription.handle(event("step.retry_requested"));
    expect(calls).toEqual(["own step.completed", "any step.retry_requested"]);
  });

  it("lets an instance say what it subscribes to", () => {
    class Own extends EventSubscriber {
      readonly subscribeTo = "task.failed";
    }
    expect(subscriptionOf(Own).patterns).toEqual(["task.failed"]);
    expect(isEventSubscriberClass(EventSubscriber)).toBe(false);
  });

  it("collects exports once, and what onEvent declared", async () => {
    class Audit extends EventSubscriber {
      static override subscribeTo = "task.*";
    }
    class Watch extends BaseSubscriber {
      handle() {}
    }
    class Shape extends BasePublisher {
      readonly publisherName = "Shape";
    }
    const seen: string[] = [];
    onEvent("step.completed", ({ type }) => void seen.push(type));
    const takeBack = onEvent("step.failed", () => undefined);
    takeBack();
    const known = new Set<unknown>();
    const module = { Audit, again: [Audit], Watch, Shape, BaseSubscriber, BasePublisher, n: 1 };
    const found = collectEvents(module, known);
    expect(found.lifecycle.map(({ patterns }) => patterns)).toEqual([
      ["task.*"],
      ["step.completed"],
    ]);
    await found.lifecycle[1]?.handle(event("step.completed"));
    expect(seen).toEqual(["step.completed"]);
    expect(found.subscribers).toHaveLength(1);
    expect(found.publishers.map(({ publisherName }) => publisherName)).toEqual(["Shape"]);
    expect(collectEvents(module, known)).toEqual({
      lifecycle: [],
      subscribers: [],
      publishers: [],
    });
  });
});

describe("publishers", () => {
  class Shape extends BasePublisher {
    readonly publisherName: string = "Shape";
    readonly calls: string[] = [];
    override transformPayload() {
      return { shaped: true };
    }
    override beforePublish(name: string, payload: object, metadata: Record<string, unknown>) {
      this.calls.push(`before ${name} ${JSON.stringify(payload)} ${metadata["publisher"]}`);
      return true;
    }
    override afterPublish(name: string) {
      this.calls.push(`after ${name}`);
    }
  }
  const context = { eventName: "a.b", stepResult: { success: true, result: { x: 1 } } };

  it("runs its hooks in order", () => {
    const publisher = new Shape();
    expect(publisher.publish(context)).toBe(true);
    expect(publisher.calls).toEqual(['before a.b {"shaped":true} Shape', "after a.b"]);
  });

  it("is cancelled by a falsy beforePublish, undefined included", () => {
    class Silent extends Shape {
      // A method written in JavaScript may answer nothing.
      override beforePublish = (() => undefined) as unknown as () => boolean;
    }
    const publisher = new Silent();
    expect(publisher.publish(context)).toBe(false);
    expect(publisher.calls).toEqual([]);
  });

  it("tells onPublishError about errors of beforePublish and afterPublish only", () => {
    const errors: unknown[] = [];
    class Failing extends Shape {
      override onPublishError(_name: string, error: unknown) {
        errors.push((error as Error).message);
      }
      override afterPublish() {
        throw new Error("after");
      }
    }
    expect(new Failing().publish(context)).toBe(false);
    class Broken extends Failing {
      override transformPayload(): { shaped: boolean } {
        throw new Error("transform");
      }
    }
    expect(() => new Broken().publish(context)).toThrow("transform");
    expect(errors).toEqual(["after"]);
  });

  it("are registered once by name, until the registry is frozen", () => {
    const registry = PublisherRegistry.instance;
    registry.register(new Shape());
    expect(() => registry.register(new Shape())).toThrow(DuplicatePublisherError);
    expect(registry.getOrDefault("unknown").publisherName).toBe("DefaultDomainEventPublisher");
    expect(() => registry.getStrict("unknown")).toThrow("registered: Shape");
    expect(() => registry.validateRequired(["Shape", "Other"])).toThrow(PublisherValidationError);
    registry.validateRequired(["Shape"]);
    expect(() => registry.unregister("Shape")).toThrow(RegistryFrozenError);
    expect(registry.registeredNames).toEqual(["Shape"]);
  });
});

describe("domain event subscribers", () => {
  it("start and stop with their registry, with the patterns of class or instance", async () => {
    const handled: string[] = [];
    class ByClass extends BaseSubscriber {
      static override subscribesTo() {
        return ["order.*"];
      }
      handle({ eventName, businessPayload }: DomainEvent) {
        handled.push(`${eventName} ${businessPayload["a"]}`);
      }
    }
    class ByInstance extends ByClass {
      override readonly patterns = ["invoice.sent"];
    }
    const registry = SubscriberRegistry.instance;
    registry.register(ByClass);
    registry.register(ByClass);
    registry.registerInstance(new ByInstance());
    const subscriptions: { patterns: readonly string[]; callback: (e: DomainEvent) => unknown }[] =
      [];
    registry.startAll({
      subscribe: (patterns, callback) => {
        subscriptions.push({ patterns, callback });
        return () => undefined;
      },
    });
    expect(registry.stats).toEqual({
      count: 2,
      active: 2,
      patterns: ["order.*", "invoice.sent"],
    });
    await subscriptions[0]?.callback(domainEvent("order.paid"));
    expect(handled).toEqual(["order.paid 1"]);
    registry.stopAll();
    expect(registry.stats.active).toBe(0);
  });

  it("gives what handle throws to onHandleError and to its source", async () => {
    const errors: unknown[] = [];
    class Failing extends BaseSubscriber {
      override handle() {
        throw new Error("no");
      }
      override onHandleError(_event: DomainEvent, error: unknown) {
        errors.push(error);
      }
    }
    let deliver: ((event: DomainEvent) => unknown) | undefined;
    new Failing().start({
      subscribe: (_patterns, callback) => {
        deliver = callback;
        return () => undefined;
      },
    });
    await expect(deliver?.(domainEvent("a.b"))).rejects.toThrow("no");
    expect(errors).toHaveLength(1);
  });
});
