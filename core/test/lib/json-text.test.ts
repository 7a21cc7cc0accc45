import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findJsonFault } from "../../src/lib/json-text.js";

interface ValueVector {
  name: string;
  text?: string;
  hex?: string;
  repeat?: { text: string; times: number };
  accept: boolean;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../test/conformance/bridge/values.json", import.meta.url), "utf8"),
) as ValueVector[];

describe("values.json", () => {
  it.each(vectors)("$name", (vector) => {
    const fault = findJsonFault(bytesOf(vector));
    expect(fault === null, fault ?? "no fault found").toBe(vector.accept);
  });
});

describe("findJsonFault", () => {
  it("accepts whatever JSON.stringify writes", () => {
    const json = fc.jsonValue({ maxDepth: 6, stringUnit: "binary" });
    fc.assert(
      fc.property(json, (value) => {
        // U+0000 is the one thing JSON allows and Postgres does not.
        const text = JSON.stringify(value).replaceAll("\\u0000", "");
        expect(findJsonFault(Buffer.from(text))).toBeNull();
      }),
    );
  });

  it("agrees with JSON.parse on damaged texts", () => {
    const sample = '{"a":[1,-2.5e+3,true,false,null,"x\\n\\u00e9"],"b":{"c":{}},"d":[[],[]]}';
    const damage = fc.array(
      fc.tuple(fc.nat(sample.length - 1), fc.integer({ min: 0x20, max: 0x7e })),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = Buffer.from(sample);
        for (const [at, byte] of changes) bytes[at] = byte;
        expect(findJsonFault(bytes) === null).toBe(isParsable(bytes.toString()));
      }),
      { numRuns: 2000 },
    );
  });

  it("says where", () => {
    expect(findJsonFault(Buffer.from('{"a":}'))).toBe("unexpected `}` at byte 5");
    expect(findJsonFault(Buffer.from('["\\ud800"]'))).toBe("lone surrogate at byte 2");
  });

  it("refuses numbers that Postgres' numeric cannot hold", () => {
    expect(findJsonFault(Buffer.from("1e99999"))).toContain("out of range");
    expect(findJsonFault(Buffer.from("1".repeat(1001)))).toContain("too long");
  });
});

function bytesOf(vector: ValueVector): Buffer {
  if (vector.hex !== undefined) return Buffer.from(vector.hex, "hex");
  return Buffer.from(vector.repeat ? vector.repeat.text.repeat(vector.repeat.times) : vector.text!);
}

/** What JSON.parse accepts and we accept too: the sample is too short for numbers out of range to matter much. */
function isParsable(text: string): boolean {
  if (/\\u0000|\\u[dD][89a-fA-F]/.test(text) || /[eE][+-]?\d{3,}/.test(text))
    return findJsonFault(Buffer.from(text)) === null;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
