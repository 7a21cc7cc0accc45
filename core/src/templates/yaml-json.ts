import { type JsonObject, type JsonValue, setOwn } from "../lib/json-number.js";
import type { YamlMap, YamlNode } from "./yaml-tree.js";

/** A node as free-form data, such as a handler's initialization or a schema. */
export function toJson(node: YamlNode): JsonValue {
  if (node.kind === "scalar") return node.value;
  return node.kind === "list" ? node.items.map(toJson) : mapToJson(node);
}

/** The same for a map; keys are data, `__proto__` too. */
export function mapToJson(map: YamlMap): JsonObject {
  const object: Record<string, JsonValue> = {};
  for (const [key, { value }] of map.entries) setOwn(object, key, toJson(value));
  return object;
}
