import type { StepHeader } from "@tasker-core/sdk/protocol";
import type { StepDelivery } from "../channels/index.js";

/** The header that goes with a delivery; what is null stays out. */
export function stepHeader(delivery: StepDelivery, pool: string): StepHeader {
  const header: StepHeader = {
    type: "step",
    delivery_id: delivery.deliveryId,
    task_uuid: delivery.taskUuid,
    step_uuid: delivery.stepUuid,
    correlation_id: delivery.correlationId,
    callable: delivery.callable,
    pool,
    attempt: delivery.attempt,
    max_attempts: delivery.maxAttempts,
    timeout_ms: delivery.timeoutMs,
    lease_ms: delivery.leaseMs,
  };
  if (delivery.parentCorrelationId !== null) {
    header.parent_correlation_id = delivery.parentCorrelationId;
  }
  if (delivery.method !== null) header.method = delivery.method;
  if (delivery.traceparent !== null) header.traceparent = delivery.traceparent;
  if (delivery.solo) header.solo = true;
  return header;
}
