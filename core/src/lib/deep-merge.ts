import { setOwn } from "./json-number.js";

export type PlainTable = Record<string, unknown>;

/** A table of values as TOML and JSON know it: no array, no class instance. */
export function isTable(value: unknown): value is PlainTable {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A new table: tables merge key by key, everything else, arrays included, is replaced by `over`. */
export function deepMerge(base: PlainTable, over: PlainTable): PlainTable {
  const merged: PlainTable = {};
  for (const [key, value] of Object.entries(base)) setOwn(merged, key, value);
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = Object.hasOwn(merged, key) ? merged[key] : undefined;
    if (!isTable(value)) setOwn(merged, key, value);
    else setOwn(merged, key, deepMerge(isTable(below) ? below : {}, value));
  }
  return merged;
}
