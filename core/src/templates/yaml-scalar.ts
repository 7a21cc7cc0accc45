import { JsonNumber, jsonNumber } from "../lib/json-number.js";
import type { YamlScalar } from "./yaml-tree.js";

const INTEGER = /^[-+]?(?:0|[1-9]\d*)$/;
const RADIX = /^0(?:x[0-9a-fA-F]+|o[0-7]+)$/;
const FLOAT = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const LEADING_ZERO = /^[-+]?0\d+$/;
const NOT_IN_JSON = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/**
 * The value of a plain (unquoted) scalar under YAML 1.2: booleans are only true and false; `010` is a
 * string, as it is for the YAML readers of the other languages; a float keeps being a float (`1.0`).
 *
 * @returns the value, or a message when it has no JSON form
 */
export function plainValue(text: string): { value: YamlScalar["value"] } | { problem: string } {
  if (text === "" || text === "~" || /^(?:null|Null|NULL)$/.test(text)) return { value: null };
  if (/^(?:true|True|TRUE)$/.test(text)) return { value: true };
  if (/^(?:false|False|FALSE)$/.test(text)) return { value: false };
  if (INTEGER.test(text) || RADIX.test(text)) return integerValue(text);
  if (NOT_IN_JSON.test(text)) return { problem: `\`${text}\` has no form in JSON` };
  if (FLOAT.test(text) && !LEADING_ZERO.test(text)) return floatValue(text);
  return { value: text };
}

function integerValue(text: string): { value: YamlScalar["value"] } | { problem: string } {
  const value = BigInt(text.replace(/^[-+]/, "")) * (text.startsWith("-") ? -1n : 1n);
  if (value < INT64_MIN || value > UINT64_MAX) {
    return {
      problem: `the integer \`${text}\` does not fit into 64 bits; quote it to keep it as text`,
    };
  }
  return { value: jsonNumber(value.toString()) };
}

function floatValue(text: string): { value: YamlScalar["value"] } | { problem: string } {
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: `the number \`${text}\` is too large` };
  const shortest = String(value);
  // A float that JavaScript prints without a fraction would reach Python and Ruby as an integer.
  return {
    value: /[.e]/.test(shortest)
      ? value
      : new JsonNumber(`${Object.is(value, -0) ? "-0" : shortest}.0`),
  };
}
