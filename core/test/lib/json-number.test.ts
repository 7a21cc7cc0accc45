import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonNumber, jsonNumber, setOwn, stringifyJson } from "../../src/lib/json-number.js";
import { parseJson } from "../../src/lib/parse-json.js";

describe("JSON that keeps the kind of numbers", () => {
  it("reads and writes every JSON value as JSON.parse and JSON.stringify do", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const value = parseJson(text);
        expect(JSON.parse(JSON.stringify(value))).toEqual(JSON.parse(text));
        expect(JSON.parse(stringifyJson(value))).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each(["1.0", "-0", "9007199254740993", "18446744073709551615", "1e3", "0.10"])(
    "keeps %s",
    (source) => {
      expect(stringifyJson(parseJson(`{"a":[${source}]}`))).toBe(`{"a":[${source}]}`);
      expect(jsonNumber(source)).toBeInstanceOf(JsonNumber);
      expect(Number(parseJson(source))).toBe(Number(source));
    },
  );

  it("uses ordinary numbers where nothing is lost", () => {
    expect(parseJson("[0, -7, 2.5, 1e-7]")).toEqual([0, -7, 2.5, 1e-7]);
  });

  it("treats __proto__ as an ordinary key", () => {
    const value = parseJson('{"__proto__": {"polluted": true}, "a": 1}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__", "a"]);
    expect((value as { polluted?: boolean }).polluted).toBeUndefined();
    expect(stringifyJson(value)).toBe('{"__proto__":{"polluted":true},"a":1}');
    const target = {};
    setOwn(target, "__proto__", 1);
    expect(Object.getPrototypeOf(target)).toBe(Object.prototype);
  });

  it.each(["", "{", "[1,]", '{"a" 1}', "tru", "1 2", '"a', "01", "nul", '{"a":1,}'])(
    "refuses %j",
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    },
  );
});
