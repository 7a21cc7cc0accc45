import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DecodedFrame, encodeFrame, FrameDecoder } from "../../src/protocol/frame.js";

interface ExpectedItem {
  header?: Record<string, unknown> | null;
  body_utf8?: string;
  body_hex?: string;
  error?: string;
}
interface FrameVector {
  name: string;
  hex: string;
  max_frame?: number;
  expect: ExpectedItem[];
  at_end: "clean" | "truncated";
  reencode: boolean;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../test/conformance/bridge/frames.json", import.meta.url), "utf8"),
) as FrameVector[];

describe.each(vectors)("frames.json: $name", (vector) => {
  const bytes = Buffer.from(vector.hex, "hex");

  it("decodes the same at every split point", () => {
    for (let split = 0; split <= bytes.length; split++) {
      expectDecoded(vector, [bytes.subarray(0, split), bytes.subarray(split)]);
    }
  });

  it("decodes byte by byte", () => {
    expectDecoded(
      vector,
      [...bytes].map((byte) => Uint8Array.of(byte)),
    );
  });
});

describe.each(vectors.filter((vector) => vector.reencode))("frames.json: $name", (vector) => {
  it("encodes to the same bytes", () => {
    const encoded = vector.expect.flatMap((item) => encodeFrame(item.header ?? {}, bodyOf(item)));
    expect(Buffer.concat(encoded).toString("hex")).toBe(vector.hex);
  });
});

describe("FrameDecoder", () => {
  it("collects a body that arrives in many pieces in linear time", () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 0x31);
    const bytes = Buffer.concat(encodeFrame({ type: "result" }, body));
    const decoder = new FrameDecoder();
    const frames: DecodedFrame[] = [];
    for (let at = 0; at < bytes.length; at += 1000)
      frames.push(...decoder.push(bytes.subarray(at, at + 1000)));
    expect(frames).toHaveLength(1);
    expect(frames[0]?.kind === "frame" && body.equals(frames[0].body)).toBe(true);
  });

  it("does not reuse memory that a yielded body points into", () => {
    const decoder = new FrameDecoder();
    const one = Buffer.concat(encodeFrame({ type: "a" }, Buffer.from("first")));
    const two = Buffer.concat(encodeFrame({ type: "a" }, Buffer.from("other")));
    const frames = [
      one.subarray(0, 9),
      one.subarray(9),
      two.subarray(0, 9),
      two.subarray(9),
    ].flatMap((chunk) => decoder.push(chunk));
    expect(
      frames.map((frame) => frame.kind === "frame" && Buffer.from(frame.body).toString()),
    ).toEqual(["first", "other"]);
  });

  it("shows what was printed onto the channel", () => {
    const [item] = new FrameDecoder().push(Buffer.from("hello\tworld\n"));
    expect(item).toEqual({ kind: "bad_frame", excerpt: "hello\\x09world\\x0a" });
  });
});

describe("encodeFrame", () => {
  it("refuses what no reader accepts", () => {
    expect(() => encodeFrame({ type: "x", text: "a".repeat(65_536) })).toThrow(RangeError);
    expect(() => encodeFrame({ type: "x" }, new Uint8Array(64 * 1024 * 1024))).toThrow(RangeError);
  });
});

function expectDecoded(vector: FrameVector, chunks: Uint8Array[]): void {
  const decoder = new FrameDecoder(vector.max_frame);
  const items = chunks.flatMap((chunk) => decoder.push(chunk));
  expect(items.map(comparable)).toEqual(vector.expect.map(comparableExpectation));
  expect(decoder.isPartial ? "truncated" : "clean").toBe(vector.at_end);
}

function comparable(item: DecodedFrame): unknown {
  switch (item.kind) {
    case "frame":
      return [JSON.stringify(item.header), Buffer.from(item.body).toString("hex")];
    case "too_large":
      return [item.kind, JSON.stringify(item.header)];
    default:
      return [item.kind];
  }
}

function comparableExpectation(item: ExpectedItem): unknown {
  if (item.error === "too_large") return [item.error, JSON.stringify(item.header)];
  if (item.error !== undefined) return [item.error];
  return [JSON.stringify(item.header), bodyOf(item).toString("hex")];
}

function bodyOf(item: ExpectedItem): Buffer {
  return item.body_hex === undefined
    ? Buffer.from(item.body_utf8 ?? "")
    : Buffer.from(item.body_hex, "hex");
}
