import { z } from "zod";
import { isTable } from "../lib/deep-merge.js";
import { Secret } from "../lib/secret.js";
import { ENVIRONMENT_KEYS } from "./environment-keys.js";
import { KEY_NOTES } from "./key-notes.js";
import { configSchema } from "./schema/index.js";
import { defaultConfig } from "./validate.js";

export interface ConfigKey {
  /** Dotted: `lease.lease_seconds`. */
  readonly path: string;
  /** In one phrase: `an integer from 1 to 3600`. */
  readonly accepts: string;
  /** Null when it has none, or when it is a secret. */
  readonly default: unknown;
  readonly isSecret: boolean;
  /** The variable that stands in for it where no file has it. */
  readonly variable: string | null;
  readonly note: string | null;
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly pattern?: string;
}

/** Every key of the configuration, in the order of the schema. */
export function configKeys(): ConfigKey[] {
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
  return keysOf(schema as JsonSchema, "", defaultConfig());
}

function keysOf(schema: JsonSchema, path: string, value: unknown): ConfigKey[] {
  const { properties } = schema;
  if (properties === undefined) return [keyOf(schema, path, value)];
  const table = isTable(value) ? value : {};
  return Object.entries(properties).flatMap(([key, member]) =>
    keysOf(member, path === "" ? key : `${path}.${key}`, table[key]),
  );
}

function keyOf(schema: JsonSchema, path: string, value: unknown): ConfigKey {
  const isSecret = value instanceof Secret;
  return {
    path,
    accepts: acceptsOf(schema),
    default: isSecret ? null : (value ?? null),
    isSecret,
    variable: ENVIRONMENT_KEYS[path] ?? null,
    note: KEY_NOTES[path] ?? null,
  };
}

function acceptsOf(schema: JsonSchema): string {
  const { type, enum: choices, minimum, maximum, items, anyOf, pattern } = schema;
  if (choices !== undefined) return `one of ${choices.join(", ")}`;
  if (anyOf !== undefined) return anyOf.map(acceptsOf).join(" or ");
  switch (type) {
    case "integer":
      return `an integer from ${minimum} to ${maximum}`;
    case "number":
      return `a number from ${minimum} to ${maximum}`;
    case "boolean":
      return "true or false";
    case "array":
      return items?.type === "object" ? "a list of tables" : "a list";
    case "object":
      return "a table";
    case "null":
      return "nothing";
    default:
      return pattern?.includes(":") ? "an address such as 127.0.0.1:8080" : "text";
  }
}
