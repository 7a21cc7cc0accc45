import { Buffer } from "node:buffer";
import type { StepExecution, StepFailed } from "../host/outcome.js";
import { encodeFrame, type HandlerHeader } from "../protocol/index.js";

const EMPTY_SUCCESS = Buffer.from("{}");

/** The one frame that ends a delivery; what is too large for the connection becomes a failure. */
export function answerFrame(id: string, answer: StepExecution, maxFrame: number): Uint8Array {
  const bytes = encoded(id, answer);
  // The four bytes of the length do not count themselves.
  return bytes !== null && bytes.byteLength - 4 <= maxFrame
    ? bytes
    : encodeTooLarge(id, answer.executionMs, bytes?.byteLength ?? null, maxFrame);
}

function encoded(id: string, answer: StepExecution): Uint8Array | null {
  try {
    switch (answer.outcome) {
      case "success":
        return success(id, answer);
      case "checkpoint":
        return checkpoint(id, answer);
      case "failure":
        return failed(id, answer);
    }
  } catch (error) {
    if (error instanceof RangeError) return null; // over what any reader accepts
    throw error;
  }
}

function success(id: string, answer: Extract<StepExecution, { outcome: "success" }>): Uint8Array {
  const value = answer.valueJson === "{}" ? EMPTY_SUCCESS : Buffer.from(answer.valueJson);
  const body =
    answer.detailJson === null ? value : Buffer.concat([value, Buffer.from(answer.detailJson)]);
  return joined(
    {
      type: "result",
      delivery_id: id,
      execution_ms: answer.executionMs,
      outcome: answer.resultKind,
      split: value.byteLength,
    },
    body,
  );
}

function checkpoint(
  id: string,
  answer: Extract<StepExecution, { outcome: "checkpoint" }>,
): Uint8Array {
  const results = answer.accumulatedResultsJson;
  const rest = results === null ? "" : `,"accumulated_results":${results}`;
  return joined(
    {
      type: "checkpoint",
      delivery_id: id,
      seq: 0,
      items_processed: answer.itemsProcessed,
      yield: true,
    },
    Buffer.from(`{"cursor":${answer.cursorJson}${rest}}`),
  );
}

function failed(id: string, answer: StepFailed): Uint8Array {
  return joined(
    {
      type: "error",
      delivery_id: id,
      execution_ms: answer.executionMs,
      error_type: answer.errorType.slice(0, 256),
      message: clip(answer.message),
      retryable: answer.retryable,
      kind: answer.kind,
      split: 0,
      ...(answer.errorCode === null ? {} : { code: answer.errorCode.slice(0, 256) }),
      ...(answer.retryAfterMs === null ? {} : { retry_after_ms: answer.retryAfterMs }),
      ...(answer.statusCode === null ? {} : { status_code: answer.statusCode }),
    },
    Buffer.from(answer.detailJson ?? ""),
  );
}

function encodeTooLarge(
  id: string,
  executionMs: number,
  bytes: number | null,
  maxFrame: number,
): Uint8Array {
  const size = bytes === null ? "" : ` It makes a frame of ${bytes} bytes.`;
  return joined(
    {
      type: "error",
      delivery_id: id,
      execution_ms: executionMs,
      error_type: "payload_too_large",
      message: `The step's answer is over the bridge's limit of ${maxFrame} bytes.${size} Store it elsewhere and return a reference`,
      retryable: false,
      kind: "payload_too_large",
      split: 0,
    },
    Buffer.alloc(0),
  );
}

function joined(header: HandlerHeader, body: Uint8Array): Uint8Array {
  const parts = encodeFrame(header, body);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

const MAX_MESSAGE_BYTES = 8 * 1024;

/** `message` may have 8 KiB. */
function clip(message: string): string {
  if (Buffer.byteLength(message) <= MAX_MESSAGE_BYTES) return message;
  const bytes = Buffer.from(message).subarray(0, MAX_MESSAGE_BYTES - 8);
  return `${bytes.toString().replace(/\ufffd$/, "")}…`;
}
