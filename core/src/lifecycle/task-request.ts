import type { NewTask } from "../db/functions/index.js";
import { StateError } from "../errors/index.js";
import { canonicalJson, sha256 } from "../lib/canonical-json.js";
import type { JsonValue } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";
import { newUuid } from "../lib/uuid.js";
import type { RuntimeTemplate } from "./runtime-template.js";

/** A request for a task, in the words of the REST API (`contract/rest.md`). */
export interface TaskRequest {
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  /** A JSON value, or its text as received: the text is kept as it is. */
  readonly context: unknown | JsonText;
  readonly initiator?: string;
  readonly sourceSystem?: string;
  readonly reason?: string;
  readonly tags?: readonly string[];
  readonly priority?: number;
  readonly correlationId?: string;
  readonly parentCorrelationId?: string | null;
  readonly idempotencyKey?: string;
  /** Of a request that may be delivered twice: the second time it is the same task, even under `always_unique`. */
  readonly requestId?: string;
}

/** Marks a string as JSON text, to be stored unchanged. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Turns a request into the row to create.
 * @param onMismatch `accept` under the compatibility profile: a context need not match the template's `input_schema`
 * @throws StateError TASK_REQUEST_INVALID when a text or the priority cannot be stored, the context is not a JSON object or does not match the schema, or a key
 *   is missing that the template's identity strategy needs
 */
export function newTask(
  request: TaskRequest,
  template: RuntimeTemplate,
  onMismatch: "refuse" | "accept" = "refuse",
): NewTask {
  checkTexts(request);
  const taskUuid = newUuid();
  const contextText =
    request.context instanceof JsonText ? request.context.text : JSON.stringify(request.context);
  const context = readContext(contextText, request);
  const problems = template.inputCheck?.problemsOf(JSON.parse(contextText)) ?? [];
  if (problems.length > 0 && onMismatch === "refuse") {
    throw invalid(request, `context does not match input_schema: ${problems.join("; ")}`);
  }
  return {
    taskUuid,
    templateId: template.templateId,
    identityHash: identityHash(request, template, context),
    correlationId: request.correlationId ?? newUuid(),
    parentCorrelationId: request.parentCorrelationId ?? null,
    priority: request.priority ?? 0,
    initiator: request.initiator ?? "tasker",
    sourceSystem: request.sourceSystem ?? "tasker",
    reason: request.reason ?? "Task requested",
    context: Buffer.from(contextText),
    tags: Buffer.from(JSON.stringify(request.tags ?? [])),
  };
}

/** The width of their columns: what does not fit would fail every task that is created with this one. */
const MAX_TEXT = 128;

function checkTexts(request: TaskRequest): void {
  for (const key of ["initiator", "sourceSystem", "reason"] as const) {
    const length = [...(request[key] ?? "")].length;
    if (length > MAX_TEXT) {
      throw invalid(request, `${key} has ${length} characters; at most ${MAX_TEXT} can be stored`);
    }
    if (request[key]?.includes("\0")) throw invalid(request, `${key} contains U+0000`);
  }
  const { priority = 0 } = request;
  if (!Number.isInteger(priority) || Math.abs(priority) > 2_147_483_647) {
    throw invalid(request, `priority must be a 32-bit integer, got ${priority}`);
  }
}

function readContext(text: string | undefined, request: TaskRequest): JsonValue {
  let value: JsonValue;
  try {
    value = parseJson(text ?? "");
  } catch (cause) {
    throw invalid(request, "context is not valid JSON", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(request, `context must be a JSON object, got ${describe(value)}`);
  }
  return value;
}

/** `contract/template.md` section 7: which requests are the same task. */
function identityHash(request: TaskRequest, template: RuntimeTemplate, context: JsonValue): string {
  const task = `${template.namespace}/${template.name}/${template.version}`;
  if (request.idempotencyKey !== undefined)
    return sha256(`key\n${task}\n${request.idempotencyKey}`);
  switch (template.identityStrategy) {
    case "always_unique":
      return request.requestId === undefined
        ? newUuid()
        : sha256(`request\n${task}\n${request.requestId}`);
    case "caller_provided":
      throw invalid(request, "the template's identity strategy needs an idempotency_key");
    case "strict":
      return sha256(`context\n${task}\n${canonicalJson(context)}`);
  }
}

function invalid(request: TaskRequest, why: string, cause?: unknown): StateError {
  return new StateError(
    "TASK_REQUEST_INVALID",
    `Task request for \`${request.namespace}/${request.name}\` ${request.version}: ${why}`,
    { cause },
  );
}

function describe(value: JsonValue): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
