import { type JsonNumber, type JsonValue, jsonNumber, setOwn } from "./json-number.js";

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;
// A string token as a whole; JSON.parse decodes and judges it.
const STRING = /"(?:[^"\\]|\\.)*"/y;

/**
 * Reads JSON text so that numbers keep their kind (see {@link JsonNumber}). Meant for text that Postgres
 * wrote from `jsonb`; recursive, so callers pass bounded nesting.
 *
 * @throws SyntaxError with the offset of what could not be read
 */
export function parseJson(text: string): JsonValue {
  let at = 0;

  const fail = (): never => {
    throw new SyntaxError(
      `unexpected ${JSON.stringify(text[at] ?? "end")} at offset ${at} of JSON`,
    );
  };
  const take = (token: RegExp): string => {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return fail();
    at += match[0].length;
    return match[0];
  };
  const peek = (): string | undefined => {
    take(WHITESPACE);
    return text[at];
  };
  const expect = (char: string): void => {
    if (peek() !== char) fail();
    at += 1;
  };
  const word = (literal: string, value: null | boolean): null | boolean => {
    if (!text.startsWith(literal, at)) fail();
    at += literal.length;
    return value;
  };
  const string = (): string => JSON.parse(take(STRING)) as string;
  const number = (): number | JsonNumber => jsonNumber(take(NUMBER));

  const members = (close: string, readMember: () => void): void => {
    at += 1;
    if (peek() === close) {
      at += 1;
      return;
    }
    for (;;) {
      readMember();
      if (peek() !== ",") break;
      at += 1;
    }
    expect(close);
  };
  const object = (): JsonValue => {
    const result: Record<string, JsonValue> = {};
    members("}", () => {
      if (peek() !== '"') fail();
      const key = string();
      expect(":");
      setOwn(result, key, value());
    });
    return result;
  };
  const array = (): JsonValue => {
    const result: JsonValue[] = [];
    members("]", () => result.push(value()));
    return result;
  };
  const value = (): JsonValue => {
    switch (peek()) {
      case "{":
        return object();
      case "[":
        return array();
      case '"':
        return string();
      case "t":
        return word("true", true);
      case "f":
        return word("false", false);
      case "n":
        return word("null", null);
      default:
        return number();
    }
  };

  const result = value();
  if (peek() !== undefined) fail();
  return result;
}
