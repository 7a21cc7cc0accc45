/**
 * One frame: `u32 length`, `u32 header_len` (big-endian), the header (JSON), the body (bytes, never parsed here).
 * `length` counts everything after itself. See `docs/reference/bridge.md` section 1.
 */
import { Buffer } from "node:buffer";
import { parseHeader, type RawHeader } from "./header.js";
import { ABSOLUTE_MAX_FRAME, DEFAULT_MAX_FRAME, MAX_HEADER } from "./version.js";

/** What a {@link FrameDecoder} yields. Errors are values: only `bad_frame` ends the stream. */
export type DecodedFrame =
  | { readonly kind: "frame"; readonly header: RawHeader; readonly body: Uint8Array }
  /** The header is unreadable; the frame was passed over. */
  | { readonly kind: "bad_header"; readonly length: number }
  /** Over `maxFrame`: the body was skipped in pieces. `header` is null when it was unreadable too. */
  | { readonly kind: "too_large"; readonly header: RawHeader | null; readonly length: number }
  /** The lengths are impossible, the stream cannot be found again. `excerpt`: up to 64 bytes, escaped. */
  | { readonly kind: "bad_frame"; readonly excerpt: string };

const NOTHING = new Uint8Array(0);
const PREFIX = 8;
/** A frame cut over several chunks is collected here; grows by doubling, so never ahead of what has arrived by more than 2x. */
const FIRST_COLLECT = 4096;

/**
 * The bytes of one frame, header first. The body is passed through, not copied.
 * @throws RangeError when header or frame exceed what any reader accepts.
 */
export function encodeFrame(header: object, body: Uint8Array = NOTHING): Uint8Array[] {
  const head = encodeHead(JSON.stringify(header), body.byteLength);
  return body.byteLength === 0 ? [head] : [head, body];
}

/** Prefix and header of a frame whose body has `bodyLength` bytes. */
export function encodeHead(headerText: string, bodyLength: number): Buffer {
  const headerLength = Buffer.byteLength(headerText);
  assertEncodable(headerLength, bodyLength);
  const head = Buffer.allocUnsafe(PREFIX + headerLength);
  head.writeUInt32BE(4 + headerLength + bodyLength, 0);
  head.writeUInt32BE(headerLength, 4);
  head.write(headerText, PREFIX, "utf8");
  return head;
}

function assertEncodable(headerLength: number, bodyLength: number): void {
  if (headerLength < 1 || headerLength > MAX_HEADER) {
    throw new RangeError(`Expected a header of 1 to ${MAX_HEADER} bytes, got ${headerLength}`);
  }
  if (4 + headerLength + bodyLength > ABSOLUTE_MAX_FRAME) {
    throw new RangeError(
      `Expected a frame of at most ${ABSOLUTE_MAX_FRAME} bytes, got a body of ${bodyLength}`,
    );
  }
}

/**
 * Turns chunks, cut anywhere, into frames. A body is a view into the chunk when the frame arrived in one piece, else
 * a copy: whoever keeps bodies for long should copy them. Holds at most `maxFrame` bytes.
 */
export class FrameDecoder {
  maxFrame: number;
  #collect: Buffer = Buffer.alloc(0);
  #collected = 0;
  /** Bytes of an oversize body still to be passed over. */
  #skip = 0;
  #dead = false;

  constructor(maxFrame: number = DEFAULT_MAX_FRAME) {
    this.maxFrame = maxFrame;
  }

  /** True while inside a frame: end-of-file now means it was cut off. */
  get isPartial(): boolean {
    return !this.#dead && (this.#collected > 0 || this.#skip > 0);
  }

  /** Yields what the chunk completes, in order. After `bad_frame` nothing more is read. */
  push(chunk: Uint8Array): DecodedFrame[] {
    const out: DecodedFrame[] = [];
    let rest: Buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0 && !this.#dead) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
      } else if (this.#collected > 0) {
        rest = this.#fill(rest, out);
      } else {
        const used = this.#read(rest, out);
        rest = rest.subarray(used);
        if (used === 0 && !this.#dead) rest = this.#fill(rest, out);
      }
    }
    return out;
  }

  /** Adds to the collected frame only what it still needs, so that what follows stays a view. */
  #fill(rest: Buffer, out: DecodedFrame[]): Buffer {
    const needed = bytesNeeded(this.#collect, this.#collected, this.maxFrame);
    const taken = Math.min(needed - this.#collected, rest.length);
    this.#reserve(this.#collected + taken, needed);
    rest.copy(this.#collect, this.#collected, 0, taken);
    this.#collected += taken;
    const whole = this.#collect.subarray(0, this.#collected);
    const used = this.#read(whole, out);
    if (used > 0 || this.#dead) {
      // Yielded bodies are views into this buffer, so it cannot be used again.
      this.#collect = Buffer.alloc(0);
      this.#collected = 0;
    }
    return rest.subarray(taken);
  }

  #reserve(size: number, needed: number): void {
    if (size <= this.#collect.length) return;
    const doubled = Math.max(FIRST_COLLECT, this.#collect.length * 2);
    const grown = Buffer.allocUnsafe(Math.max(size, Math.min(doubled, Math.max(needed, PREFIX))));
    this.#collect.copy(grown, 0, 0, this.#collected);
    this.#collect = grown;
  }

  /** Reads one frame at the start of `bytes`. Returns the bytes used, 0 when more are needed. */
  #read(bytes: Buffer, out: DecodedFrame[]): number {
    const size = frameSize(bytes, bytes.length);
    if (size === "impossible") {
      this.#dead = true;
      out.push({ kind: "bad_frame", excerpt: escapeBytes(bytes.subarray(0, 64)) });
      return 0;
    }
    if (size === null) return 0;
    const headerEnd = PREFIX + size.headerLength;
    const end = 4 + size.length;
    if (size.length > this.maxFrame) {
      if (bytes.length < headerEnd) return 0;
      const header = parseHeader(bytes.subarray(PREFIX, headerEnd));
      out.push({ kind: "too_large", header, length: size.length });
      const used = Math.min(end, bytes.length);
      this.#skip = end - used;
      return used;
    }
    if (bytes.length < end) return 0;
    const header = parseHeader(bytes.subarray(PREFIX, headerEnd));
    if (header === null) out.push({ kind: "bad_header", length: size.length });
    else out.push({ kind: "frame", header, body: bytes.subarray(headerEnd, end) });
    return end;
  }
}

/** How many bytes, from the start of the frame, the next decision needs. */
function bytesNeeded(bytes: Buffer, available: number, maxFrame: number): number {
  const size = frameSize(bytes, available);
  if (size === null || size === "impossible") return available < 4 ? 4 : PREFIX;
  return size.length > maxFrame ? PREFIX + size.headerLength : 4 + size.length;
}

function frameSize(
  bytes: Buffer,
  available: number,
): { length: number; headerLength: number } | "impossible" | null {
  if (available < 1) return null;
  // A frame's first byte is at most 0x04; anything printed by accident is above.
  if (bytes[0]! > 0x04) return "impossible";
  if (available < 4) return null;
  const length = bytes.readUInt32BE(0);
  if (length > ABSOLUTE_MAX_FRAME || length < 5) return "impossible";
  if (available < PREFIX) return null;
  const headerLength = bytes.readUInt32BE(4);
  if (headerLength < 1 || headerLength > MAX_HEADER || headerLength > length - 4) {
    return "impossible";
  }
  return { length, headerLength };
}

/** Printable ASCII as it is, everything else as `\xNN`: safe in a log line. */
export function escapeBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return text;
}
