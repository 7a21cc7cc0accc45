import { expect, it, vi } from "vitest";
import {
  createDomainEvent,
  createFfiPollAdapter,
  createStepEventContext,
  type DomainEvent,
  ffiEventToDomainEvent,
  InProcessDomainEventPoller,
} from "../src/index.js";
import { stepEvent } from "./support/step-event.js";

const envelope = {
  event_id: "e1",
  event_name: "order.sold",
  event_version: "1.0",
  payload: {
    task_sequence_step: {},
    execution_result: { success: true, result: { total: 7 }, metadata: {} },
    payload: { total: 7 },
  },
  metadata: {
    task_uuid: "t",
    step_uuid: "s",
    step_name: "sell",
    namespace: "shop",
    correlation_id: "c",
    fired_at: "2026-01-02T03:04:05Z",
    fired_by: "P",
  },
};

it("hands events to the callbacks whose pattern fits, and errors to onError", async () => {
  const waiting = [envelope, { ...envelope, event_name: "other" }];
  const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1, maxEventsPerPoll: 1 });
  expect(() => poller.start()).toThrow("setPollFunction first");
  poller.setPollFunction(
    createFfiPollAdapter({ pollInProcessEvents: () => waiting.shift() ?? null }),
  );
  const seen: DomainEvent[] = [];
  const errors: string[] = [];
  poller.subscribe("order.*", (event) => void seen.push(event));
  const failing = poller.subscribe("*", () => {
    throw new Error("mine");
  });
  poller.onError((error) => errors.push(error.message));
  poller.start();
  expect(poller.isRunning).toBe(true);
  await vi.waitFor(() => expect(errors).toEqual(["mine", "mine"]), { timeout: 5000 });
  poller.stop();
  expect(poller.isRunning).toBe(false);
  expect(seen).toEqual([ffiEventToDomainEvent(envelope)]);
  expect(seen[0]?.businessPayload).toEqual({ total: 7 });
  expect(poller.stats).toMatchObject({ eventsDispatched: 1, errors: 2, subscriptionCount: 2 });
  expect(poller.unsubscribe(failing)).toBe(true);
});

it("makes events and contexts for tests", () => {
  const event = createDomainEvent({
    eventName: "order.sold",
    payload: { total: 7 },
    metadata: { taskUuid: "t", stepUuid: "s", namespace: "shop", correlationId: "c" },
    executionResult: { success: true },
  });
  expect(event.businessPayload).toEqual({ total: 7 });
  expect(event.metadata.firedAt).toMatch(/Z$/);
  const context = createStepEventContext(stepEvent({ stepName: "sell" }), {
    success: true,
    result: { total: 7 },
  });
  expect(context).toMatchObject({ stepName: "sell", namespace: "shop", result: { total: 7 } });
});
