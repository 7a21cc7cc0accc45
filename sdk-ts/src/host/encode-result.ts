import { encodeJson, type JsonEncoding } from "../json.js";
import type { OrchestrationMetadata, StepHandlerResult } from "../result.js";
import type { ResultKind, StepExecution, StepFailed } from "./outcome.js";

type Fields = Record<string, unknown>;

const MAX_MESSAGE_CHARACTERS = 8_000;
const MAX_BACKTRACE_LINES = 50;
const MAX_RETRY_AFTER_SECONDS = 366 * 24 * 3600;

/** What a handler answered, as an outcome. A value that JSON cannot carry fails the step for good. */
export function encodeResult(result: StepHandlerResult, executionMs: number): StepExecution {
  if (!result.success) return encodeFailure(result, executionMs);
  if (result.metadata["checkpoint_yield"] === true) return encodeYield(result, executionMs);
  const value = result.result ?? {};
  const encoded = encodeJson(value);
  if (!encoded.ok) return invalidResult("result", encoded, executionMs);
  const detail = detailOf(result);
  const encodedDetail = detail === null ? null : encodeJson(detail);
  if (encodedDetail?.ok === false) return invalidResult("result's", encodedDetail, executionMs);
  return {
    outcome: "success",
    valueJson: encoded.text,
    detailJson: encodedDetail?.text ?? null,
    resultKind: kindOf(value),
    executionMs,
  };
}

export interface FailureParts {
  readonly kind: StepFailed["kind"];
  readonly errorType: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** A failure the engine itself states. */
export function failure(parts: FailureParts, executionMs: number): StepFailed {
  return {
    outcome: "failure",
    kind: parts.kind,
    errorType: parts.errorType,
    errorCode: null,
    message: storable(parts.message),
    retryable: parts.retryable,
    retryAfterMs: null,
    statusCode: null,
    detailJson: null,
    executionMs,
  };
}

function encodeFailure(result: StepHandlerResult, executionMs: number): StepFailed {
  const statusCode = result.metadata["status_code"];
  const { cause } = result;
  const backtrace = cause instanceof Error ? backtraceOf(cause) : null;
  return {
    outcome: "failure",
    kind: result.errorType === "invalid_result" ? "invalid_result" : "handler",
    errorType: storable(result.errorType ?? "handler_error"),
    errorCode: result.errorCode === null ? null : storable(result.errorCode),
    message: storable(result.errorMessage ?? "The handler failed without a message"),
    retryable: result.retryable,
    retryAfterMs: retryAfterMsOf(result),
    statusCode: isStatusCode(statusCode) ? statusCode : null,
    detailJson: failureDetail(result, backtrace),
    executionMs,
  };
}

function encodeYield(result: StepHandlerResult, executionMs: number): StepExecution {
  const fields = (result.result ?? {}) as Fields;
  const cursor = encodeJson(fields["cursor"] ?? 0);
  if (!cursor.ok) return invalidResult("checkpoint's cursor", cursor, executionMs);
  const accumulated = fields["accumulated_results"] ?? null;
  const results = accumulated === null ? null : encodeJson(accumulated);
  if (results?.ok === false) {
    return invalidResult("checkpoint's accumulated results", results, executionMs);
  }
  const items = fields["items_processed"];
  return {
    outcome: "checkpoint",
    cursorJson: cursor.text,
    itemsProcessed: typeof items === "number" && items >= 0 ? Math.trunc(items) : 0,
    accumulatedResultsJson: results?.text ?? null,
    executionMs,
  };
}

function invalidResult(
  what: string,
  problem: Extract<JsonEncoding, { ok: false }>,
  executionMs: number,
): StepFailed {
  const message = `The handler's ${what} at ${problem.path} cannot be stored: ${problem.reason}`;
  return failure(
    { kind: "invalid_result", errorType: "invalid_result", message, retryable: false },
    executionMs,
  );
}

/** The engine looks inside a result only when the template says so; this is the hint that goes with it. */
function kindOf(value: unknown): ResultKind {
  if (typeof value !== "object" || value === null) return "success";
  if (Object.hasOwn(value, "decision_point_outcome")) return "decision";
  return Object.hasOwn(value, "batch_processing_outcome") ? "batch_plan" : "success";
}

function detailOf(result: StepHandlerResult): Fields | null {
  const orchestration = result.orchestrationMetadata;
  let hasMetadata = false;
  for (const _ in result.metadata) {
    hasMetadata = true;
    break;
  }
  if (!hasMetadata && orchestration === null) return null;
  const detail: Fields = {};
  if (hasMetadata) detail["metadata"] = result.metadata;
  if (orchestration !== null) detail["orchestration_metadata"] = wireForm(orchestration);
  return detail;
}

function failureDetail(
  result: StepHandlerResult,
  backtrace: readonly string[] | null,
): string | null {
  const detail = detailOf(result) ?? {};
  if (backtrace !== null) detail["backtrace"] = backtrace;
  if (Object.keys(detail).length === 0) return null;
  const encoded = encodeJson(detail);
  if (encoded.ok) return encoded.text;
  // The failure matters more than its metadata: say what was dropped, keep the rest.
  const dropped = `${encoded.path}: ${encoded.reason}`;
  return JSON.stringify({
    metadata: { metadata_dropped: storable(dropped) },
    ...(backtrace === null ? {} : { backtrace: backtrace.map(storable) }),
  });
}

function wireForm(metadata: OrchestrationMetadata): Fields {
  const hint = metadata.backoffHint;
  return {
    ...(metadata.headers === undefined ? {} : { headers: metadata.headers }),
    ...(metadata.errorContext === undefined ? {} : { error_context: metadata.errorContext }),
    ...(hint === undefined
      ? {}
      : {
          backoff_hint: {
            backoff_type: hint.backoffType,
            delay_seconds: hint.delaySeconds,
            context: hint.context ?? null,
          },
        }),
    ...(metadata.custom === undefined ? {} : { custom: metadata.custom }),
  };
}

/** The delay that was asked for: by the error, by the backoff hint, or by a server's `Retry-After`. */
function retryAfterMsOf(result: StepHandlerResult): number | null {
  const { cause } = result;
  const fromError =
    typeof cause === "object" && cause !== null
      ? (cause as { retryAfterSeconds?: unknown }).retryAfterSeconds
      : null;
  const seconds =
    fromError ??
    result.orchestrationMetadata?.backoffHint?.delaySeconds ??
    result.metadata["retry_after_seconds"];
  if (typeof seconds !== "number" || !(seconds >= 0)) return null;
  return Math.round(Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000);
}

function backtraceOf(error: Error): string[] | null {
  const lines = error.stack?.split("\n").filter((line) => line.trimStart().startsWith("at "));
  return lines === undefined || lines.length === 0
    ? null
    : lines.slice(0, MAX_BACKTRACE_LINES).map((line) => line.trim());
}

function isStatusCode(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function storable(text: string): string {
  const short =
    text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
  return short.replaceAll("\u0000", "\ufffd").replace(/\p{Surrogate}/gu, "\ufffd");
}
