import {
  JsonNumber,
  type JsonObject,
  type JsonValue,
  stringifyJson,
} from "../../lib/json-number.js";

/** `contract/wire-types.md` sections 3 and 4. An outcome of any other shape is malformed, never guessed at. */

export type DecisionOutcome =
  | { readonly type: "absent" }
  | { readonly type: "malformed"; readonly reason: string }
  | { readonly type: "no_branches" }
  | { readonly type: "create_steps"; readonly stepNames: readonly string[] };

export interface CursorConfig {
  readonly batchId: string;
  readonly startCursor: JsonValue;
  readonly endCursor: JsonValue;
  readonly batchSize: JsonValue;
}

export type BatchOutcome =
  | { readonly type: "absent" }
  | { readonly type: "malformed"; readonly reason: string }
  | { readonly type: "no_batches" }
  | {
      readonly type: "create_batches";
      readonly workerTemplateName: string;
      readonly cursorConfigs: readonly CursorConfig[];
    };

type Malformed = { readonly type: "malformed"; readonly reason: string };

/** The decision in a handler's result. Sibling keys are the handler's own data. */
export function readDecisionOutcome(result: JsonValue): DecisionOutcome {
  const outcome = member(result, "decision_point_outcome");
  if (outcome === undefined) return { type: "absent" };
  if (!isObject(outcome)) return malformed("decision_point_outcome", "an object", outcome);
  const type = outcome["type"];
  if (type === "no_branches") return { type };
  if (type !== "create_steps") {
    return malformed("decision_point_outcome.type", "no_branches or create_steps", type);
  }
  const names = outcome["step_names"];
  if (!isList(names) || !names.every((name) => typeof name === "string")) {
    return malformed("decision_point_outcome.step_names", "a list of step names", names);
  }
  return { type, stepNames: names };
}

/** The batch in a handler's result. `worker_count` and `total_items` must be there, and decide nothing. */
export function readBatchOutcome(result: JsonValue): BatchOutcome {
  const outcome = member(result, "batch_processing_outcome");
  if (outcome === undefined) return { type: "absent" };
  if (!isObject(outcome)) return malformed("batch_processing_outcome", "an object", outcome);
  const type = outcome["type"];
  if (type === "no_batches") return { type };
  if (type !== "create_batches") {
    return malformed("batch_processing_outcome.type", "no_batches or create_batches", type);
  }
  const workerTemplateName = outcome["worker_template_name"];
  if (typeof workerTemplateName !== "string") {
    const path = "batch_processing_outcome.worker_template_name";
    return malformed(path, "a step name", workerTemplateName);
  }
  for (const key of ["worker_count", "total_items"]) {
    if (!isCount(outcome[key])) {
      return malformed(`batch_processing_outcome.${key}`, "a whole number", outcome[key]);
    }
  }
  const cursors = outcome["cursor_configs"];
  if (!isList(cursors)) {
    return malformed("batch_processing_outcome.cursor_configs", "a list", cursors);
  }
  const cursorConfigs: CursorConfig[] = [];
  for (const [position, value] of cursors.entries()) {
    const cursor = readCursor(value, `batch_processing_outcome.cursor_configs[${position}]`);
    if ("type" in cursor) return cursor;
    cursorConfigs.push(cursor);
  }
  return { type, workerTemplateName, cursorConfigs };
}

function readCursor(value: JsonValue, path: string): CursorConfig | Malformed {
  if (!isObject(value)) return malformed(path, "an object", value);
  const batchId = value["batch_id"];
  if (typeof batchId !== "string") return malformed(`${path}.batch_id`, "a string", batchId);
  const startCursor = member(value, "start_cursor");
  if (startCursor === undefined) return malformed(`${path}.start_cursor`, "a value", undefined);
  const endCursor = member(value, "end_cursor");
  if (endCursor === undefined) return malformed(`${path}.end_cursor`, "a value", undefined);
  const batchSize = value["batch_size"];
  if (!isCount(batchSize)) return malformed(`${path}.batch_size`, "a whole number", batchSize);
  return { batchId, startCursor, endCursor, batchSize };
}

function malformed(path: string, expected: string, value: JsonValue | undefined): Malformed {
  return {
    type: "malformed",
    reason: `expected \`${path}\` to be ${expected}, got ${show(value)}`,
  };
}

function show(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (isList(value)) return "a list";
  if (isObject(value)) return "an object";
  if (typeof value !== "string") return `\`${stringifyJson(value)}\``;
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

function member(value: JsonValue, key: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function isObject(value: JsonValue): value is JsonObject {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  );
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** An integer from 0 on, written as one: `3.0` is a float on this wire. */
function isCount(value: JsonValue | undefined): value is number | JsonNumber {
  if (typeof value !== "number" && !(value instanceof JsonNumber)) return false;
  return /^\d+$/.test(stringifyJson(value));
}
