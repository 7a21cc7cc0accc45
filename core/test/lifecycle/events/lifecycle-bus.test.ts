import type { LifecycleEvent } from "@tasker-core/sdk/host";
import { expect, it } from "vitest";
import { type EventTask, LifecycleBus } from "../../../src/lifecycle/events/index.js";
import { silentLogger } from "../../../src/observability/index.js";
import { createDelivery } from "../../support/deliveries.js";

const LIMITS = {
  capacity: 2000,
  overflow: "drop_oldest",
  slowAfterMs: 5000,
  logsErrors: true,
  logsDrops: true,
} as const;

const TASK: EventTask = {
  taskUuid: "uuid",
  correlationId: "correlation",
  namespace: "tests",
  name: "task",
  version: "1.0.0",
  createdAt: new Date(0),
  context: { n: 1 },
};

/** A bus that notes what it reads of tasks and deliveries. */
function noted() {
  const reads: string[] = [];
  const bus = new LifecycleBus({
    loadTasks: async (ids) => {
      reads.push(`tasks ${ids.join(",")}`);
      return new Map(ids.map((id) => [id, TASK]));
    },
    loadSteps: async (taskId) => {
      reads.push(`steps ${taskId}`);
      return [
        { step_uuid: "step-1", name: "first", state: "complete" },
        { step_uuid: "step-2", name: "second", state: "cancelled" },
      ];
    },
    limits: LIMITS,
    logger: silentLogger(),
  });
  const plain = createDelivery();
  const delivery = createDelivery({
    payload: {
      ...plain.payload,
      value: () => {
        reads.push("payload");
        return plain.payload.value();
      },
    },
  });
  return { bus, delivery, reads };
}

it("reads and builds nothing when nobody listens for it", async () => {
  const { bus, delivery, reads } = noted();
  const seen: string[] = [];
  bus.subscribe("task.failed", ({ type }) => void seen.push(type));
  bus.stepClaimed(delivery);
  bus.taskRested(1n, "complete");
  bus.taskCreated(() => {
    throw new Error("built for nobody");
  });
  await bus.close(5000);
  expect(reads).toEqual([]);
  expect(seen).toEqual([]);
});

it("reads tasks that come to rest together once, and tells them before it closes", async () => {
  const { bus, reads } = noted();
  const seen: LifecycleEvent[] = [];
  bus.subscribe(["task.completed", "task.failed"], (event) => void seen.push(event));
  bus.taskRested(1n, "complete");
  bus.taskRested(2n, "blocked_by_failures");
  bus.taskRested(3n, "waiting_for_dependencies");
  await bus.close(5000);
  expect(reads).toEqual(["tasks 1,2"]);
  expect(seen.map(({ type }) => type)).toEqual(["task.completed", "task.failed"]);
  expect(seen[0]).toMatchObject({ task_id: "uuid", context: { n: 1 }, step_name: null });
  expect(seen[0]).not.toHaveProperty("error");
  expect(seen[1]?.error).toMatchObject({ error_type: "blocked_by_failures" });
});

it("a step whose payload cannot be read is nobody's failure", async () => {
  const { bus, delivery } = noted();
  const seen: string[] = [];
  bus.subscribe("*", ({ type }) => void seen.push(type));
  const unreadable = { ...delivery.payload, value: () => JSON.parse("{") };
  bus.stepClaimed({ ...delivery, payload: unreadable });
  bus.stepClaimed(delivery);
  await bus.close(5000);
  expect(seen).toEqual(["step.started", "step.execution_requested", "step.handle"]);
});

it("tells what operators do, in order, with the steps that a cancellation took along", async () => {
  const { bus } = noted();
  const seen: LifecycleEvent[] = [];
  bus.subscribe(["step.*", "task.cancelled"], (event) => void seen.push(event));
  bus.taskClosed(2n, "cancelled"); // still to be read when the operator acts
  (await bus.aboutToActOn(1n, "step-1", "complete"))({ approved: true });
  (await bus.aboutToActOn(1n, "step-2", "reset"))();
  (await bus.aboutToActOn(1n, "step-1", "resolve"))();
  (await bus.aboutToActOn(1n, "step-9", "resolve"))();
  bus.taskClosed(1n, "cancelled");
  await bus.close(5000);
  expect(seen.map(({ type, step_name }) => [type, step_name])).toEqual([
    ["step.cancelled", "second"],
    ["task.cancelled", null],
    ["step.completed", "first"],
    ["step.retried", "second"],
    ["step.retry_requested", "second"],
    ["step.resolved_manually", "first"],
    ["step.cancelled", "second"],
    ["task.cancelled", null],
  ]);
  expect(seen[2]).toMatchObject({ result: { approved: true }, duration: null });
  expect(seen[3]).not.toHaveProperty("result");
});

it("reads no steps of a cancelled task that nobody asks about", async () => {
  const { bus, reads } = noted();
  bus.subscribe("task.cancelled", () => undefined);
  (await bus.aboutToActOn(1n, "step-1", "resolve"))();
  bus.taskClosed(1n, "cancelled");
  await bus.close(5000);
  expect(reads).toEqual(["tasks 1"]);
});
