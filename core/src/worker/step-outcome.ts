import type { StepExecution, StepFailed, StepSucceeded, StepYielded } from "@tasker-core/sdk/host";
import type { StepDelivery, StepFailure, StepOutcome, StepYield } from "../channels/index.js";

/** A body over this many bytes is refused by every lane (BRIDGE section 4, `max_body`). */
export const MAX_RESULT_BYTES = 64 * 1024 * 1024;

/** An execution in the form that goes to the completion channel: texts as UTF-8. */
export function outcomeOf(
  delivery: StepDelivery,
  execution: StepExecution,
  maxResultBytes: number,
): StepOutcome | StepYield {
  switch (execution.outcome) {
    case "success":
      return successOutcome(delivery, execution, maxResultBytes);
    case "failure":
      return failureOutcome(execution);
    case "checkpoint":
      return yieldOutcome(delivery, execution, maxResultBytes);
  }
}

/** The step event could not be read, so no handler ran: no retry changes that. */
export function unreadableOutcome(delivery: StepDelivery, reason: string): StepFailure {
  return statedFailure({
    kind: "handler",
    errorType: "FFI_SERIALIZATION_ERROR",
    message: `Step \`${delivery.stepName}\` of task ${delivery.taskUuid}: its event cannot be read: ${reason}`,
    executionMs: 0,
  });
}

function successOutcome(
  delivery: StepDelivery,
  execution: StepSucceeded,
  maxResultBytes: number,
): StepOutcome {
  const value = Buffer.from(execution.valueJson);
  const detail = execution.detailJson === null ? null : Buffer.from(execution.detailJson);
  const bytes = value.byteLength + (detail?.byteLength ?? 0);
  if (bytes > maxResultBytes) return tooLarge(delivery, execution, bytes, maxResultBytes);
  const { resultKind, executionMs } = execution;
  return { outcome: "success", value, detail, executionMs, resultKind };
}

function yieldOutcome(
  delivery: StepDelivery,
  execution: StepYielded,
  maxResultBytes: number,
): StepFailure | StepYield {
  const cursor = Buffer.from(execution.cursorJson);
  const results = execution.accumulatedResultsJson;
  const accumulatedResults = results === null ? null : Buffer.from(results);
  const bytes = cursor.byteLength + (accumulatedResults?.byteLength ?? 0);
  if (bytes > maxResultBytes) return tooLarge(delivery, execution, bytes, maxResultBytes);
  const { itemsProcessed, executionMs } = execution;
  return { outcome: "yield", cursor, itemsProcessed, accumulatedResults, executionMs };
}

function tooLarge(
  delivery: StepDelivery,
  { executionMs }: StepExecution,
  bytes: number,
  maxResultBytes: number,
): StepFailure {
  return statedFailure({
    kind: "payload_too_large",
    errorType: "payload_too_large",
    message: `Handler \`${delivery.callable}\` of step \`${delivery.stepName}\` returned ${bytes} bytes, at most ${maxResultBytes} can be stored: keep the data elsewhere and return where it is`,
    executionMs,
  });
}

function failureOutcome(execution: StepFailed): StepFailure {
  const { detailJson, ...parts } = execution;
  return { ...parts, detail: detailJson === null ? null : Buffer.from(detailJson) };
}

function statedFailure(
  parts: Pick<StepFailure, "kind" | "errorType" | "message" | "executionMs">,
): StepFailure {
  return {
    outcome: "failure",
    ...parts,
    errorCode: null,
    retryable: false,
    retryAfterMs: null,
    statusCode: null,
    detail: null,
  };
}
