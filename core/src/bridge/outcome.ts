import type { CheckpointHeader, ErrorHeader, ResultHeader } from "@tasker-core/sdk/protocol";
import type {
  FailureKind,
  StepDelivery,
  StepFailure,
  StepOutcome,
  StepYield,
} from "../channels/index.js";
import { jsonMembers } from "../lib/json-members.js";
import { findJsonFault } from "../lib/json-text.js";
import { storableText } from "../lib/storable-text.js";

const OPEN_OBJECT = 0x7b;

/** A `result` as an outcome. A body that the database would refuse fails this step, and only this one. */
export function outcomeOfResult(
  delivery: StepDelivery,
  header: ResultHeader,
  body: Uint8Array,
): StepOutcome {
  if (header.split > body.byteLength) {
    return invalidResult(delivery, header, `its split ${header.split} lies behind the body's end`);
  }
  const value = body.subarray(0, header.split);
  const valueFault = findJsonFault(value);
  if (valueFault !== null) return invalidResult(delivery, header, `not valid JSON: ${valueFault}`);
  const detail = body.subarray(header.split);
  const detailFault = findDetailFault(detail);
  if (detailFault !== null) return invalidResult(delivery, header, `metadata: ${detailFault}`);
  return {
    outcome: "success",
    value,
    detail: detail.byteLength === 0 ? null : detail,
    executionMs: header.execution_ms,
    resultKind: header.outcome,
  };
}

/** An `error` as an outcome. An unusable body costs its details, not the error itself. */
export function outcomeOfError(header: ErrorHeader, body: Uint8Array): StepFailure {
  return {
    outcome: "failure",
    kind: header.kind,
    errorType: storableText(header.error_type),
    errorCode: header.code == null ? null : storableText(header.code),
    message: storableText(header.message),
    retryable: header.retryable,
    retryAfterMs: header.retry_after_ms ?? null,
    statusCode: header.status_code ?? null,
    detail: body.byteLength === 0 || findDetailFault(body) !== null ? null : body,
    executionMs: header.execution_ms,
  };
}

/** A checkpoint that ends its delivery. A body that cannot be stored fails the step, and only this one. */
export function outcomeOfYield(
  delivery: StepDelivery,
  header: CheckpointHeader,
  body: Uint8Array,
  executionMs: number,
): StepYield | StepFailure {
  const fault = findDetailFault(body);
  const members = fault === null ? jsonMembers(body) : null;
  if (members === null) {
    const why = fault ?? "no body";
    const message = `Handler \`${delivery.callable}\` of step \`${delivery.stepName}\` yielded a checkpoint that cannot be stored: ${why}`;
    return hostFailure("invalid_result", "invalid_result", message, {
      retryable: false,
      executionMs,
    });
  }
  return {
    outcome: "yield",
    cursor: members.get("cursor") ?? Buffer.from("null"),
    itemsProcessed: header.items_processed,
    accumulatedResults: members.get("accumulated_results") ?? null,
    executionMs,
  };
}

/** A failure that the host decides on, without an answer of the handler. */
export function hostFailure(
  kind: FailureKind,
  errorType: string,
  message: string,
  options: { readonly retryable: boolean; readonly executionMs: number },
): StepFailure {
  return {
    outcome: "failure",
    kind,
    errorType,
    errorCode: null,
    message,
    retryAfterMs: null,
    statusCode: null,
    detail: null,
    ...options,
  };
}

export function timeoutFailure(delivery: StepDelivery, executionMs: number): StepFailure {
  const message = `Handler \`${delivery.callable}\` of step \`${delivery.stepName}\` (attempt ${delivery.attempt}) did not finish within ${delivery.timeoutMs} ms`;
  return hostFailure("timeout", "handler_timeout", message, { retryable: true, executionMs });
}

function invalidResult(delivery: StepDelivery, header: ResultHeader, why: string): StepFailure {
  const message = `Handler \`${delivery.callable}\` of step \`${delivery.stepName}\` returned a result that cannot be stored: ${why}`;
  return hostFailure("invalid_result", "invalid_result", message, {
    retryable: false,
    executionMs: header.execution_ms,
  });
}

function findDetailFault(detail: Uint8Array): string | null {
  if (detail.byteLength === 0) return null;
  return detail[0] === OPEN_OBJECT ? findJsonFault(detail) : "not a JSON object";
}
