import type { JsonObject, JsonValue } from "../../lib/json-number.js";
import { JsonNumber } from "../../lib/json-number.js";
import { printable } from "../terminal.js";

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** What the user asked for, for the message when it is refused: `create the task`. */
  readonly intent: string;
}

/** The routes of contract/rest.md, over HTTP or on the database itself. */
export interface Api {
  /** Where it is, for messages. */
  readonly place: string;
  /** @throws CliError for every answer that is not 2xx */
  call(method: Method, path: string, request: ApiRequest): Promise<JsonValue>;
  close(): Promise<void>;
}

/** Path and query of a request. */
export function target(path: string, query: ApiRequest["query"] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)]))}`;
}

/** A member of an answer as text for people; `-` for what is absent. */
export function shown(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "-";
  if (value instanceof JsonNumber) return value.source;
  return printable(typeof value === "object" ? JSON.stringify(value) : String(value));
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  const isObject =
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber);
  return isObject ? (value as JsonObject) : {};
}

export function listOf(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(objectOf) : [];
}
