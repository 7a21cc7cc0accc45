/** Names of the contract that no other test uses. */
import { expect, it, vi } from "vitest";
import * as handlerModule from "../src/handler/domain-events.js";
import {
  ApiResponse,
  BasePublisher,
  BaseSubscriber,
  BatchableMixin,
  ClassLookupResolver,
  createBatches,
  createBatchWorkerContext,
  createDomainEvent,
  DecisionMixin,
  DecisionType,
  DefaultPublisher,
  type DomainEvent,
  ExplicitMappingResolver,
  fromCallable,
  HandlerRegistry,
  isCreateBatches,
  NoResolverMatchError,
  noBatches,
  PublisherNotFoundError,
  PublisherRegistry,
  RegistryFrozenError,
  ResolutionError,
  ResolverChain,
  StepContext,
  StepHandler,
  type StepHandlerResult,
  SubscriberRegistry,
} from "../src/index.js";
import { stepEvent } from "./support/step-event.js";

it("ApiResponse says what kind of answer it is", () => {
  const answer = (status: number, headers = {}) =>
    new ApiResponse(new Response(null, { status, headers }), { ok: 1 });
  expect(answer(200).ok).toBe(true);
  expect([answer(404).isClientError, answer(404).isRetryable]).toEqual([true, false]);
  expect([answer(503).isServerError, answer(503).isRetryable]).toEqual([true, true]);
  expect(answer(429, { "retry-after": "7" }).retryAfter).toBe(7);
  expect(answer(429, { "retry-after": "soon" }).retryAfter).toBe(60);
  expect(answer(429).retryAfter).toBeNull();
  expect(answer(201).rawResponse.status).toBe(201);
});

it("BatchableMixin makes cursors, outcomes and reports", () => {
  const mixin = new BatchableMixin();
  const cursor = mixin.createCursorConfig(0, 10, 2, { part: 1 });
  expect(cursor).toEqual({ startCursor: 0, endCursor: 10, stepSize: 2, metadata: { part: 1 } });
  const outcome = mixin.createBatchOutcome(5, 2);
  expect(outcome).toMatchObject({ totalItems: 5, cursorConfigs: [{}, {}, {}] });
  const report = mixin.batchAnalyzerSuccess(outcome);
  expect(report.result).toMatchObject({ batch_analyzer_outcome: { total_items: 5 } });
  expect(mixin.noBatchesAggregationResult({ total: 0 }).result).toMatchObject({
    worker_count: 0,
    scenario: "no_batches",
    total: 0,
  });
  const all = [
    { items_processed: 3, errors: ["a", "b"] },
    { items_processed: 4, errors: ["c"] },
  ];
  const sum = BatchableMixin.aggregateWorkerResults(all, 2);
  expect(sum).toMatchObject({ total_processed: 7, batch_count: 2, error_count: 3 });
  expect(sum.errors).toHaveLength(2);
});

it("batch outcomes tell each other apart", () => {
  expect(isCreateBatches(noBatches())).toBe(false);
  expect(isCreateBatches(createBatches("work", 0, [], 0))).toBe(true);
  const cursor = { batch_id: "001", start_cursor: 3, end_cursor: 9, batch_size: 6 };
  const context = StepContext.fromFfiEvent(stepEvent({ inputs: { cursor } }), "work");
  expect(createBatchWorkerContext(context)).toMatchObject({
    batchId: "001",
    startCursor: 3,
    endCursor: 9,
  });
});

it("DecisionMixin writes an outcome without branches", () => {
  const mixin = new DecisionMixin({ name: "route", version: "1.0.0" });
  const outcome = {
    decisionType: DecisionType.NO_BRANCHES,
    nextStepNames: [],
    reason: "nothing to do",
    routingContext: {},
  };
  expect(mixin.decisionNoBranches(outcome).result).toEqual({
    decision_point_outcome: { type: "no_branches" },
    reason: "nothing to do",
  });
});

class Own extends StepHandler {
  static override readonly handlerName = "own";
  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

it("resolvers answer for what they can resolve", async () => {
  const explicit = new ExplicitMappingResolver();
  explicit.register("own", Own);
  expect(explicit.resolve(fromCallable("own"))).toBeInstanceOf(Own);
  expect(explicit.priority).toBe(10);
  const lookup = new ClassLookupResolver();
  expect(lookup.priority).toBe(100);
  expect(lookup.canResolve(fromCallable("@scope/package"))).toBe(true);
  expect(lookup.canResolve(fromCallable("own"))).toBe(false);
  await expect(lookup.resolve(fromCallable("./missing-file.js"))).rejects.toThrow(ResolutionError);
  const registry = new HandlerRegistry(ResolverChain.standard());
  registry.register("own", Own);
  expect(registry.getHandlerClass("own")).toBeUndefined();
  expect(NoResolverMatchError.prototype).toBeInstanceOf(ResolutionError);
});

it("publishers may decline, and the registry may be closed", () => {
  class Shy extends BasePublisher {
    readonly publisherName = "Shy";
    override shouldPublish(): boolean {
      return false;
    }
  }
  const registry = new PublisherRegistry();
  registry.register(new Shy());
  const stepResult = { success: true, result: { a: 1 } };
  expect(registry.getStrict("Shy").publish({ eventName: "x", stepResult })).toBe(false);
  expect(registry.getOrDefault("nobody")).toBeInstanceOf(DefaultPublisher);
  expect(registry.getOrDefault().publish({ eventName: "x", stepResult })).toBe(true);
  expect(() => registry.getStrict("nobody")).toThrow(PublisherNotFoundError);
  registry.freeze();
  expect(registry.isFrozen).toBe(true);
  expect(() => registry.register(new DefaultPublisher())).toThrow(RegistryFrozenError);
  expect(handlerModule.BasePublisher).toBe(BasePublisher);
});

it("subscribers may pass an event over", async () => {
  const seen: string[] = [];
  class Picky extends BaseSubscriber {
    override beforeHandle(event: DomainEvent): boolean {
      return event.eventName !== "skip";
    }
    handle(event: DomainEvent): void {
      seen.push(event.eventName);
    }
    override afterHandle(event: DomainEvent): void {
      seen.push(`after ${event.eventName}`);
    }
  }
  const subscribers = new SubscriberRegistry();
  subscribers.registerInstance(new Picky());
  const callbacks: ((event: DomainEvent) => void | Promise<void>)[] = [];
  const stop = vi.fn();
  subscribers.startAll({
    subscribe: (_patterns, callback) => {
      callbacks.push(callback);
      return stop;
    },
  });
  expect(subscribers.isStarted).toBe(true);
  for (const eventName of ["skip", "sold"]) {
    const metadata = { taskUuid: "t", stepUuid: "s", namespace: "n", correlationId: "c" };
    const parts = { eventName, payload: {}, metadata, executionResult: { success: true } };
    for (const callback of callbacks) await callback(createDomainEvent(parts));
  }
  expect(seen).toEqual(["sold", "after sold"]);
  subscribers.stopAll();
  expect([stop.mock.calls.length, subscribers.isStarted]).toEqual([1, false]);
});
