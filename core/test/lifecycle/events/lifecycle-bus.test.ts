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
  expect(seen).toEqual(["step.started", "step.execution_requested"]);
});
