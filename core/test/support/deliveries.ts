import { randomUUID } from "node:crypto";
import type { StepDelivery, StepPayload, TaskSequenceStep } from "../../src/channels/index.js";

let count = 0n;

/** A delivery of a step called `callable`; `context` becomes the task's. */
export function createDelivery(
  overrides: Partial<StepDelivery> = {},
  context: Readonly<Record<string, unknown>> = {},
): StepDelivery {
  count++;
  const event = {
    task: { task: { context }, task_name: "t", task_version: "1.0.0", namespace_name: "n" },
    workflow_step: { name: "step" },
    dependency_results: {},
    step_definition: { name: "step" },
  };
  return {
    deliveryId: randomUUID(),
    templateId: 1,
    templateOrdinal: 0,
    taskId: 1n,
    stepId: count,
    leaseToken: count,
    taskUuid: randomUUID(),
    stepUuid: randomUUID(),
    stepName: "step",
    correlationId: randomUUID(),
    parentCorrelationId: null,
    callable: "echo",
    method: null,
    pool: "default",
    attempt: 1,
    maxAttempts: 3,
    timeoutMs: 30_000,
    leaseMs: 30_000,
    solo: false,
    traceparent: null,
    payload: payloadOf(event),
    ...overrides,
  };
}

function payloadOf(event: TaskSequenceStep): StepPayload {
  const bytes = Buffer.from(JSON.stringify(event));
  return {
    bytes: () => bytes,
    value: () => event,
    withCheckpoint: (text) => {
      const checkpoint: unknown = JSON.parse(text);
      return payloadOf({ ...event, workflow_step: { ...event.workflow_step, checkpoint } });
    },
  };
}
