import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf } from "../errors/index.js";
import { JsonNumber, type JsonValue, stringifyJson } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";
import { CliError } from "./cli-error.js";
import { EXIT } from "./exit-codes.js";

export const MAX_INPUT_BYTES = 64 * 1024 * 1024;

export interface InputOptions {
  /** JSON, `@file`, or `-` for stdin. */
  readonly input: string;
  /** The input is an array: one context per element. */
  readonly each?: boolean;
}

/**
 * JSON texts of the contexts of the tasks to create, checked to be objects.
 * @throws CliError INPUT_INVALID saying where the input came from
 */
export async function readInputs(
  options: InputOptions,
  from: { readonly workingDirectory: string; readonly stdin: AsyncIterable<Uint8Array | string> },
): Promise<string[]> {
  const { text, source } = await readText(options.input, from);
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (error) {
    throw invalid(source, `is not JSON: ${messageOf(error)}`);
  }
  if (options.each !== true) {
    if (Array.isArray(value))
      throw invalid(source, "is an array: add --each to create one task per element");
    assertObject(value, source);
    return [text];
  }
  if (!Array.isArray(value)) throw invalid(source, "is not an array, which --each needs");
  if (value.length === 0) throw invalid(source, "is an empty array: there is nothing to create");
  return (value as readonly JsonValue[]).map((element, index) => {
    assertObject(element, `element ${index} of ${source}`);
    return stringifyJson(element);
  });
}

async function readText(
  input: string,
  { workingDirectory, stdin }: Parameters<typeof readInputs>[1],
): Promise<{ text: string; source: string }> {
  if (input === "-") return { text: await readAll(stdin), source: "the input on stdin" };
  if (!input.startsWith("@")) return { text: input, source: "the value of --input" };
  const file = input.slice(1);
  try {
    return { text: await readFile(resolve(workingDirectory, file), "utf8"), source: file };
  } catch (error) {
    throw invalid(file, `cannot be read: ${messageOf(error)}`);
  }
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk as Uint8Array);
    bytes += part.byteLength;
    if (bytes > MAX_INPUT_BYTES)
      throw invalid("the input on stdin", `has more than ${MAX_INPUT_BYTES} bytes`);
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function assertObject(value: JsonValue, source: string): void {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isObject && !(value instanceof JsonNumber)) return;
  throw invalid(source, 'must be a JSON object, such as {"order_id": 7}');
}

function invalid(source: string, why: string): CliError {
  return new CliError("INPUT_INVALID", EXIT.usage, `The task's input: ${source} ${why}`);
}
