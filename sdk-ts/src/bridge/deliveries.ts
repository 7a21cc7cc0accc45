import { Cancellation } from "../cancellation.js";
import { type FfiStepEvent, toFfiStepEvent, type WireTaskSequenceStep } from "../ffi-event.js";
import type { StepHeader } from "../protocol/index.js";

/** What the host sent and waits for. */
export interface Delivery {
  readonly event: FfiStepEvent;
  readonly timeoutMs: number;
  readonly cancellation: Cancellation;
  /** `publishes_events` of the template's step, as on the wire. */
  readonly declaredEvents: unknown;
}

/** @throws Error when the body is not the step it should be */
export function readDelivery(header: StepHeader, body: Uint8Array): Delivery {
  const [, traceId, spanId] = header.traceparent?.split("-") ?? [];
  const wire = JSON.parse(new TextDecoder().decode(body)) as WireTaskSequenceStep;
  const event = toFfiStepEvent(wire, {
    eventId: header.delivery_id,
    taskUuid: header.task_uuid,
    stepUuid: header.step_uuid,
    correlationId: header.correlation_id,
    parentCorrelationId: header.parent_correlation_id ?? null,
    traceId: traceId ?? null,
    spanId: spanId ?? null,
  });
  const routed =
    event.stepDefinition.handlerCallable === header.callable
      ? event
      : {
          ...event,
          stepDefinition: { ...event.stepDefinition, handlerCallable: header.callable },
        };
  return {
    event: routed,
    timeoutMs: header.timeout_ms,
    cancellation: new Cancellation(),
    declaredEvents: wire.step_definition["publishes_events"],
  };
}
