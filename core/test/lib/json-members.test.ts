import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonMembers } from "../../src/lib/json-members.js";

function texts(json: string): Record<string, string> | null {
  const members = jsonMembers(Buffer.from(json));
  if (members === null) return null;
  return Object.fromEntries(
    Array.from(members, ([key, value]) => [key, Buffer.from(value).toString().trim()]),
  );
}

describe("jsonMembers", () => {
  it("leaves values as they were written", () => {
    expect(texts(' { "a" : 1.0 , "b":[1,{"a":"]}\\""}],"c":{},"d":9007199254740993}\n')).toEqual({
      a: "1.0",
      b: '[1,{"a":"]}\\""}]',
      c: "{}",
      d: "9007199254740993",
    });
  });

  it("reads escaped keys, and the last of a repeated one", () => {
    expect(texts('{"\\u0061":1,"a":2,"a\\"b":3}')).toEqual({ a: "2", 'a"b': "3" });
  });

  it.each(["{}", " {\n} "])("finds nothing in %j", (json) => {
    expect(texts(json)).toEqual({});
  });

  it.each(["[1]", "1", '"{}"', "null", ""])("is null for %j, which is no object", (json) => {
    expect(texts(json)).toBeNull();
  });

  it("finds in any object what JSON.parse finds", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(object, fc.nat(3), (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        const found = jsonMembers(Buffer.from(json)) ?? new Map<string, Uint8Array>();
        const parsed = JSON.parse(json) as Record<string, unknown>;
        expect([...found.keys()].sort()).toEqual(Object.keys(parsed).sort());
        for (const [key, text] of found) {
          expect(JSON.parse(Buffer.from(text).toString())).toEqual(parsed[key]);
        }
      }),
    );
  });
});
