import { expect, it } from "vitest";
import { encodeFrame, FrameDecoder } from "../../src/protocol/index.js";

it("a limit lowered inside a frame passes over that frame, and the next one is read", () => {
  const long = Buffer.concat(encodeFrame({ type: "result" }, Buffer.alloc(100_000, 0x31)));
  const next = Buffer.concat(encodeFrame({ type: "ping", n: 1 }));
  const decoder = new FrameDecoder();
  expect(decoder.push(long.subarray(0, 60_000))).toEqual([]);
  decoder.maxFrame = 1000; // as a handshake does, whose last message came in the same chunk
  const rest = decoder.push(Buffer.concat([long.subarray(60_000), next]));
  expect(rest.map(({ kind }) => kind)).toEqual(["too_large", "frame"]);
  expect(rest[0]).toMatchObject({ header: { type: "result" }, length: long.length - 4 });
  expect(rest[1]).toMatchObject({ header: { type: "ping", n: 1 } });
});
