import { hostname } from "node:os";
import type { StepCompletion, StepFailure, StepSuccess } from "../channels/index.js";
import type { StepReport } from "../db/functions/index.js";
import { type JsonObject, type JsonValue, stringifyJson } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";

const HOSTNAME = hostname();

interface Detail {
  readonly metadata?: JsonObject;
  readonly orchestration_metadata?: JsonObject | null;
  readonly context?: JsonObject;
  readonly backtrace?: readonly JsonValue[];
}

/**
 * What the database stores for an outcome: the contract's step execution result (`wire-types.md` section 2). The
 * handler's value is spliced in unread.
 */
export function reportOf(
  completion: StepCompletion,
  outcome: StepSuccess | StepFailure,
): StepReport {
  const { delivery } = completion;
  const detail = readDetail(outcome.detail);
  return {
    stepId: delivery.stepId,
    token: Number(delivery.leaseToken),
    verdict: outcome.outcome === "success" ? 0 : outcome.retryable ? 1 : 2,
    executionMs: Math.max(0, Math.round(outcome.executionMs)),
    hintMs: outcome.outcome === "success" ? null : hintMs(outcome, detail),
    body: Buffer.concat(
      outcome.outcome === "success"
        ? successBody(completion, outcome, detail)
        : failureBody(completion, outcome, detail),
    ),
  };
}

function successBody(
  completion: StepCompletion,
  outcome: StepSuccess,
  detail: Detail,
): Uint8Array[] {
  const head = `{"step_uuid":"${completion.delivery.stepUuid}","success":true,"result":`;
  const tail = {
    status: "completed",
    metadata: metadata(completion, outcome.executionMs, detail, true, null, null),
    error: null,
    orchestration_metadata: detail.orchestration_metadata ?? null,
  };
  return [Buffer.from(head), outcome.value, Buffer.from(`,${stringifyJson(tail).slice(1)}`)];
}

function failureBody(
  completion: StepCompletion,
  outcome: StepFailure,
  detail: Detail,
): Uint8Array[] {
  const body = {
    step_uuid: completion.delivery.stepUuid,
    success: false,
    result: {},
    status: outcome.kind === "timeout" || outcome.kind === "panic" ? "error" : "failed",
    metadata: metadata(
      completion,
      outcome.executionMs,
      detail,
      outcome.retryable,
      outcome.errorType,
      outcome.errorCode,
    ),
    error: {
      message: outcome.message,
      error_type: outcome.errorType,
      backtrace: detail.backtrace ?? null,
      retryable: outcome.retryable,
      ...(outcome.statusCode === null ? {} : { status_code: outcome.statusCode }),
      ...(detail.context === undefined ? {} : { context: detail.context }),
    },
    orchestration_metadata: detail.orchestration_metadata ?? null,
  };
  return [Buffer.from(stringifyJson(body))];
}

function metadata(
  completion: StepCompletion,
  executionMs: number,
  detail: Detail,
  retryable: boolean,
  errorType: string | null,
  errorCode: string | null,
): JsonObject {
  return {
    execution_time_ms: Math.max(0, Math.round(executionMs)),
    handler_version: null,
    retryable,
    completed_at: new Date().toISOString(),
    worker_id: completion.workerName,
    worker_hostname: HOSTNAME,
    started_at: null,
    custom: detail.metadata ?? {},
    error_code: errorCode,
    error_type: errorType,
    context: detail.context ?? {},
  };
}

/** A server's wish for the delay: said by the handler, or found in the orchestration metadata. */
function hintMs(outcome: StepFailure, detail: Detail): number | null {
  if (outcome.retryAfterMs !== null) return storableMs(outcome.retryAfterMs);
  const orchestration = detail.orchestration_metadata;
  const headers = orchestration?.["headers"];
  const retryAfter = isObject(headers)
    ? Object.entries(headers).find(([name]) => name.toLowerCase() === "retry-after")?.[1]
    : undefined;
  if (retryAfter !== undefined) {
    const delay = retryAfterMs(String(retryAfter), Date.now());
    if (delay !== null) return storableMs(delay);
  }
  const hint = orchestration?.["backoff_hint"];
  const seconds = isObject(hint) ? Number(hint["delay_seconds"]) : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? storableMs(seconds * 1000) : null;
}

/** The step's own cap decides in the end; here the wish only has to fit its column. */
function storableMs(ms: number): number {
  return Math.min(2_147_483_647, Math.max(0, Math.round(ms)));
}

// RFC 2822, and the form of HTTP dates. `Date.parse` alone would read `2030` as a year.
const MAIL_DATE =
  /^\s*(?:[a-z]{3},\s*)?\d{1,2}\s+[a-z]{3}\s+\d{4}\s+\d\d:\d\d(?::\d\d)?\s+(?:[+-]\d{4}|[a-z]{1,5})\s*$/i;

/** Integer seconds or an RFC 2822 date; a date in the past or an unreadable value counts as no header. */
export function retryAfterMs(header: string, nowMs: number): number | null {
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const at = MAIL_DATE.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) || at <= nowMs ? null : at - nowMs;
}

function readDetail(bytes: Uint8Array | null): Detail {
  if (bytes === null || bytes.byteLength === 0) return {};
  const value = parseJson(Buffer.from(bytes).toString("utf8"));
  return isObject(value) ? (value as Detail) : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
