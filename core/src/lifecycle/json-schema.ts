import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormatsModule from "ajv-formats";
import { messageOf, StateError } from "../errors/index.js";
import type { JsonObject } from "../lib/json-number.js";

// The package is CommonJS: its function is the default export of the default export.
const addFormats = addFormatsModule.default ?? addFormatsModule;
const MAX_REPORTED = 10;
const OPTIONS = { allErrors: true, strict: false, allowUnionTypes: true, logger: false } as const;

/** A JSON Schema, compiled once per template revision. */
export interface SchemaCheck {
  /** What is wrong with a value, one sentence with a path each, at most ten; empty when it conforms. */
  problemsOf(value: unknown): string[];
}

/**
 * Compiles draft 2020-12 when the schema says so, else draft 7.
 * @throws StateError TEMPLATE_INVALID naming the schema (`where`) and what is wrong with it
 */
export function compileSchema(schema: JsonObject, where: string): SchemaCheck {
  // Numbers that a template keeps by their text are plain numbers here.
  const plain = JSON.parse(JSON.stringify(schema)) as Record<string, unknown>;
  let validate: ValidateFunction;
  try {
    const ajv = String(plain["$schema"] ?? "").includes("2020-12")
      ? new Ajv2020(OPTIONS)
      : new Ajv(OPTIONS);
    addFormats(ajv);
    validate = ajv.compile(plain);
  } catch (cause) {
    throw new StateError("TEMPLATE_INVALID", `${where} is not a JSON Schema: ${messageOf(cause)}`, {
      cause,
    });
  }
  return {
    problemsOf: (value) =>
      validate(value) ? [] : (validate.errors ?? []).slice(0, MAX_REPORTED).map(describe),
  };
}

function describe({ instancePath, message, keyword, params }: ErrorObject): string {
  const path = instancePath === "" ? "/" : instancePath;
  const detail =
    keyword === "additionalProperties" ? `: \`${String(params["additionalProperty"])}\`` : "";
  return `${path} ${message ?? keyword}${detail}`;
}
