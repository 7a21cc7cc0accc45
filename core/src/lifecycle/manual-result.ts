import { type JsonObject, type JsonValue, stringifyJson } from "../lib/json-number.js";

export interface ManualResult {
  readonly stepUuid: string;
  /** What dependents are to see as the step's result. */
  readonly result: JsonValue;
  /** Kept with the result: the members of an object, any other value as `operator_metadata`. */
  readonly metadata?: JsonValue | undefined;
  readonly completedBy: string;
  readonly reason: string | null;
}

/** JSON text of the step execution result that a step completed by hand is given (`contract/rest.md` 2.6). */
export function manualResultBody(manual: ManualResult, now: Date): string {
  const { stepUuid, result, completedBy, reason } = manual;
  return stringifyJson({
    step_uuid: stepUuid,
    success: true,
    result,
    status: "completed",
    metadata: {
      execution_time_ms: 0,
      handler_version: null,
      retryable: false,
      completed_at: now.toISOString(),
      worker_id: null,
      worker_hostname: null,
      started_at: null,
      custom: {
        ...customOf(manual.metadata),
        manually_completed: true,
        completed_by: completedBy,
        completion_reason: reason,
      },
      error_code: null,
      error_type: null,
      context: {},
    },
    error: null,
    orchestration_metadata: null,
  });
}

function customOf(metadata: JsonValue | undefined): JsonObject {
  if (metadata === undefined || metadata === null) return {};
  // A JsonNumber is an object too, but no plain one.
  const isPlain = Object.getPrototypeOf(metadata) === Object.prototype;
  return isPlain ? (metadata as JsonObject) : { operator_metadata: metadata };
}
