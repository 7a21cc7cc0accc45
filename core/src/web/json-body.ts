import { jsonMembers } from "../lib/json-members.js";
import { findJsonFault } from "../lib/json-text.js";
import { ApiError } from "./api-error.js";

/** A request's body, parsed and as it came: values that are stored are taken from the text, so that no number changes. */
export interface JsonBody {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/**
 * @throws ApiError 400 JSON_ERROR saying where the text is wrong; also for a key `__proto__`, which only an attack has
 */
export function readJsonBody(bytes: Uint8Array): JsonBody {
  const fault = findJsonFault(bytes);
  if (fault !== null) throw jsonError(`The body is not JSON: ${fault}`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const value = JSON.parse(text) as unknown;
  // Rare in honest text, so the walk over the parsed value is not paid by everybody.
  if (text.includes("__proto__") || text.includes("\\u")) refuseProto(value, "");
  return { value, bytes };
}

/** The text of one member of the body, as it came; undefined when it is absent. */
export function memberText(body: JsonBody, name: string): string | undefined {
  const member = jsonMembers(body.bytes)?.get(name);
  return member === undefined ? undefined : Buffer.from(member).toString("utf8");
}

function refuseProto(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "__proto__")
      throw jsonError(`The body has a key \`__proto__\` at \`${path || "/"}\``);
    refuseProto(inner, `${path}/${key}`);
  }
}

function jsonError(message: string): ApiError {
  return new ApiError(400, "JSON_ERROR", message);
}
