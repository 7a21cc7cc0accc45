import type { StepDelivery, StepPayload, TaskSequenceStep } from "../../../src/channels/index.js";

let count = 0;

export interface DeliveryParts {
  readonly callable?: string;
  readonly timeoutMs?: number;
  readonly solo?: boolean;
  readonly context?: Record<string, unknown>;
  readonly value?: () => TaskSequenceStep;
}

/** A delivery whose payload is as the worker builds it. */
export function delivery(parts: DeliveryParts = {}): StepDelivery {
  count++;
  const callable = parts.callable ?? "echo";
  const stepUuid = `0190a000-0000-7000-8000-${String(count).padStart(12, "0")}`;
  const step: TaskSequenceStep = {
    task: {
      task: { task_uuid: "t1", context: parts.context ?? { n: count } },
      task_name: "order",
      task_version: "1.0.0",
      namespace_name: "shop",
    },
    workflow_step: { workflow_step_uuid: stepUuid, name: "charge", attempts: 0, max_attempts: 3 },
    dependency_results: {},
    step_definition: { name: "charge", handler: { callable } },
  };
  const value = parts.value ?? (() => step);
  return {
    deliveryId: `d${count}`,
    templateId: 1,
    templateOrdinal: 0,
    taskId: 1n,
    stepId: BigInt(count),
    leaseToken: 1n,
    taskUuid: "t1",
    stepUuid,
    stepName: "charge",
    correlationId: "c1",
    parentCorrelationId: null,
    callable,
    method: null,
    pool: "typescript",
    attempt: 1,
    maxAttempts: 3,
    timeoutMs: parts.timeoutMs ?? 30_000,
    leaseMs: 60_000,
    solo: parts.solo ?? false,
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    payload: payloadOf(value),
  };
}

function payloadOf(value: () => TaskSequenceStep): StepPayload {
  return {
    bytes: () => Buffer.from(JSON.stringify(value())),
    value,
    withCheckpoint: (text) => {
      const checkpoint: unknown = JSON.parse(text);
      const step = { ...value().workflow_step, checkpoint };
      return payloadOf(() => ({ ...value(), workflow_step: step }));
    },
  };
}
