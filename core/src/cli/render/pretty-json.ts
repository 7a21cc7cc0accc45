import { JsonNumber, type JsonValue, stringifyJson } from "../../lib/json-number.js";

/** JSON over several lines for a reader; numbers keep their source text. */
export function prettyJson(value: JsonValue, indent = ""): string {
  if (typeof value !== "object" || value === null || value instanceof JsonNumber) {
    return stringifyJson(value);
  }
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const members = isList
    ? value.map((item: JsonValue) => prettyJson(item, inner))
    : Object.entries(value as Record<string, JsonValue>).map(
        ([key, member]) => `${JSON.stringify(key)}: ${prettyJson(member, inner)}`,
      );
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (members.length === 0) return `${open}${close}`;
  return `${open}\n${members.map((member: string) => inner + member).join(",\n")}\n${indent}${close}`;
}
