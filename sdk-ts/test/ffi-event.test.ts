import { describe, expect, it } from "vitest";
import { toFfiStepEvent } from "../src/host.js";
import { stepEvent, wireStep } from "./support/step-event.js";

describe("toFfiStepEvent", () => {
  it("flattens the wire form", () => {
    const event = stepEvent({ method: "refund", initialization: { a: 1 } });
    expect(event).toMatchObject({
      eventId: "e1",
      taskCorrelationId: "c1",
      traceId: null,
      task: { name: "order", namespace: "shop", version: "1.0.0", priority: 5, complete: false },
      workflowStep: { name: "charge", attempts: null, maxAttempts: 3, checkpoint: null },
      stepDefinition: {
        handlerCallable: "charge",
        handlerMethod: "refund",
        handlerInitialization: { a: 1 },
        retryBackoff: "exponential",
        timeoutSeconds: 30,
      },
    });
  });

  it("keeps a failed dependency's error", () => {
    const wire = wireStep();
    wire.dependency_results["pay"] = {
      step_uuid: "s",
      success: false,
      result: {},
      status: "failed",
      error: { message: "declined", error_type: "permanent_error", retryable: false },
    };
    const ids = { eventId: "e", taskUuid: "t", stepUuid: "s", correlationId: "c" };
    expect(toFfiStepEvent(wire, ids).dependencyResults["pay"]).toEqual({
      stepUuid: "s",
      success: false,
      result: {},
      status: "failed",
      errorMessage: "declined",
      errorType: "permanent_error",
      errorRetryable: false,
    });
  });

  it("makes do with a sparse event", () => {
    const sparse = {
      task: { task: {}, task_name: "t", task_version: "1", namespace_name: "n" },
      workflow_step: {},
      dependency_results: {},
      step_definition: {},
    };
    const ids = { eventId: "e", taskUuid: "t1", stepUuid: "s1", correlationId: "c" };
    expect(toFfiStepEvent(sparse, ids)).toMatchObject({
      task: { taskUuid: "t1", context: {} },
      workflowStep: { workflowStepUuid: "s1", retryable: true, inputs: null },
      stepDefinition: { handlerCallable: "", dependencies: [], retryMaxAttempts: 3 },
    });
  });
});
