import { messageOf } from "./thrown.js";

/** JSON text of a value that loses nothing on the way, or the place where it would. */
export type JsonEncoding =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly path: string; readonly reason: string };

interface Problem {
  /** Innermost key last while unwinding; joined once at the end. */
  readonly keys: (string | number)[];
  readonly reason: string;
}

// The bridge's limit (BRIDGE section 1): other languages stop reading deeper texts. It also ends cycles.
const MAX_DEPTH = 64;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * `JSON.stringify` drops functions and turns NaN into null without a word, so values are walked first: measured
 * at about half the cost of the stringify itself. `undefined` fields are left out, as JavaScript users expect;
 * `toJSON` is honoured.
 */
export function encodeJson(value: unknown): JsonEncoding {
  try {
    return encode(value);
  } catch (error) {
    // A getter or a toJSON of the user's threw.
    return { ok: false, path: "$", reason: `reading it failed: ${messageOf(error)}` };
  }
}

function encode(value: unknown): JsonEncoding {
  const problem = inspect(value, 0, false);
  if (problem !== null) return refused(problem);
  const text = JSON.stringify(value) ?? "null";
  // Escapes appear only for text that Postgres cannot store; a hit may also be an escaped backslash.
  if (text.includes("\\u0000") || text.includes("\\ud")) {
    const unstorable = inspect(value, 0, true);
    if (unstorable !== null) return refused(unstorable);
  }
  return { ok: true, text };
}

function refused(problem: Problem): JsonEncoding {
  return { ok: false, path: pathOf(problem.keys.reverse()), reason: problem.reason };
}

function inspect(value: unknown, depth: number, checkText: boolean): Problem | null {
  switch (typeof value) {
    case "string":
      return checkText ? inspectText(value) : null;
    case "boolean":
    case "undefined":
      return null;
    case "number":
      return Number.isFinite(value) ? null : problem(`${value} is not a JSON number`);
    case "object":
      return value === null ? null : inspectObject(value, depth, checkText);
    case "bigint":
      return problem("a BigInt is not a JSON value; send it as a string");
    default:
      return problem(`a ${typeof value} is not a JSON value`);
  }
}

function inspectObject(value: object, depth: number, checkText: boolean): Problem | null {
  if (depth >= MAX_DEPTH) return problem(`nested deeper than ${MAX_DEPTH} levels, or a cycle`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = inspect(value[index], depth + 1, checkText);
      if (found !== null) return within(found, index);
    }
    return null;
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    const replaced = (value as { toJSON(): unknown }).toJSON();
    return replaced === value ? null : inspect(replaced, depth + 1, checkText);
  }
  const lossy = lossyKind(value);
  if (lossy !== null) return problem(`a ${lossy} is not a JSON value`);
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    if (checkText) {
      const badKey = inspectText(key);
      if (badKey !== null) return within(badKey, key);
    }
    const found = inspect((value as Record<string, unknown>)[key], depth + 1, checkText);
    if (found !== null) return within(found, key);
  }
  return null;
}

/** Built-ins that `JSON.stringify` writes as `{}`. */
function lossyKind(value: object): string | null {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return null;
  if (value instanceof Map || value instanceof Set) return value instanceof Map ? "Map" : "Set";
  if (value instanceof Promise) return "Promise (await it before returning)";
  return value instanceof RegExp ? "RegExp" : null;
}

function inspectText(text: string): Problem | null {
  if (text.includes("\u0000")) return problem("text with U+0000 cannot be stored");
  return LONE_SURROGATE.test(text) ? problem("text with a lone surrogate cannot be stored") : null;
}

function problem(reason: string): Problem {
  return { keys: [], reason };
}

function within(found: Problem, key: string | number): Problem {
  found.keys.push(key);
  return found;
}

/** `$`, `$.items[2].price`, `$["odd key"]`. */
function pathOf(keys: readonly (string | number)[]): string {
  let path = "$";
  for (const key of keys.slice(0, 16)) {
    if (typeof key === "number") path += `[${key}]`;
    else path += /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  }
  return keys.length > 16 ? `${path}...` : path;
}
