import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeJson } from "../src/json.js";

const problemOf = (value: unknown): string => {
  const encoded = encodeJson(value);
  return encoded.ok ? `encoded ${encoded.text}` : `${encoded.path}: ${encoded.reason}`;
};

describe("encodeJson", () => {
  it("writes every JSON value as JSON.stringify does", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const encoded = encodeJson(value);
        // A generated string may hold text that Postgres cannot store.
        if (!encoded.ok) expect(encoded.reason).toContain("cannot be stored");
        else expect(encoded.text).toBe(JSON.stringify(value));
      }),
    );
  });

  it.each([
    ["NaN", { price: Number.NaN }, "$.price: NaN is not a JSON number"],
    ["Infinity", [1, Number.POSITIVE_INFINITY], "$[1]: Infinity is not a JSON number"],
    ["a BigInt", { items: [{ id: 1n }] }, "$.items[0].id: a BigInt"],
    ["a function", { "on done": () => 1 }, '$["on done"]: a function is not a JSON value'],
    ["a symbol", Symbol("x"), "$: a symbol is not a JSON value"],
    ["a Map", { index: new Map() }, "$.index: a Map is not a JSON value"],
    ["a Set", new Set([1]), "$: a Set is not a JSON value"],
    ["a forgotten await", { user: Promise.resolve(1) }, "$.user: a Promise (await it"],
    ["U+0000", { text: "a\u0000b" }, "$.text: text with U+0000 cannot be stored"],
    ["U+0000 in a key", { "a\u0000": 1 }, "text with U+0000 cannot be stored"],
    ["a lone surrogate", { text: "\ud800" }, "$.text: text with a lone surrogate"],
    [
      "a throwing getter",
      {
        get x(): never {
          throw new Error("boom");
        },
      },
      "reading it failed: boom",
    ],
  ])("refuses %s", (_what, value, expected) => {
    expect(problemOf(value)).toContain(expected);
  });

  it("refuses a cycle and nesting beyond 64 levels", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = { again: cycle };
    expect(problemOf(cycle)).toContain("$.self.again.self");
    const nested = (levels: number): unknown => (levels === 1 ? [] : [nested(levels - 1)]);
    expect(encodeJson(nested(64)).ok).toBe(true);
    expect(problemOf(nested(65))).toContain("nested deeper than 64 levels");
  });

  it("accepts what has a JSON form of its own, leaves undefined fields out, keeps escapes", () => {
    expect(encodeJson({ at: new Date(0), gone: undefined })).toEqual({
      ok: true,
      text: '{"at":"1970-01-01T00:00:00.000Z"}',
    });
    expect(problemOf({ toJSON: () => ({ inner: Number.NaN }) })).toContain("$.inner: NaN");
    expect(encodeJson({ text: "\\u0000 \\ud800 😀" }).ok).toBe(true);
    class Point {
      readonly x = 1;
    }
    expect(encodeJson(new Point())).toEqual({ ok: true, text: '{"x":1}' });
  });
});
