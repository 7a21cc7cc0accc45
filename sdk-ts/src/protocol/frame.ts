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
  const head = Buffer.allocUnsafe(measureHead(headerText, bodyLength));
  writeHead(head, 0, headerText, bodyLength);
  return head;
}

/**
 * How many bytes prefix and header take.
 * @throws RangeError when header or frame exceed what any reader accepts.
 */
export function measureHead(headerText: string, bodyLength: number): number {
  const headerLength = Buffer.byteLength(headerText);
  assertEncodable(headerLength, bodyLength);
  return PREFIX + headerLength;
}

/** Writes prefix and header at `at`, into room that {@link measureHead} gave. Returns the position after them. */
export function writeHead(
  target: Buffer,
  at: number,
  headerText: string,
  bodyLength: number,
): number {
  const headerLength = target.write(headerText, at + PREFIX, "utf8");
  target.writeUInt32BE(4 + headerLength + bodyLength, at);
  target.writeUInt32BE(headerLength, at + 4);
  return at + PREFIX + headerLength;
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
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < bytes.length && !this.#dead) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#collected > 0) {
        at = this.#fill(bytes, at, out);
      } else {
        const used = this.#read(bytes, at, bytes.length, out);
        at = used === 0 && !this.#dead ? this.#fill(bytes, at, out) : at + used;
      }
    }
    return out;
  }

  /** Adds to the collected frame only what it still needs, so that what follows stays a view. */
  #fill(bytes: Buffer, at: number, out: DecodedFrame[]): number {
    const needed = bytesNeeded(this.#collect, this.#collected, this.maxFrame);
    // More than needed is there when the limit was lowered below a frame that had begun.
    const taken = Math.max(0, Math.min(needed - this.#collected, bytes.length - at));
    this.#reserve(this.#collected + taken, needed);
    bytes.copy(this.#collect, this.#collected, at, at + taken);
    this.#collected += taken;
    const used = this.#read(this.#collect, 0, this.#collected, out);
    if (used > 0 || this.#dead) {
      // Yielded bodies are views into this buffer, so it cannot be used again.
      this.#collect = Buffer.alloc(0);
      this.#collected = 0;
    }
    return at + taken;
  }

  #reserve(size: number, needed: number): void {
    if (size <= this.#collect.length) return;
    const doubled = Math.max(FIRST_COLLECT, this.#collect.length * 2);
    const grown = Buffer.allocUnsafe(Math.max(size, Math.min(doubled, Math.max(needed, PREFIX))));
    this.#collect.copy(grown, 0, 0, this.#collected);
    this.#collect = grown;
  }

  /** Reads one frame from `bytes[start..end)`. Returns the bytes used, 0 when more are needed. */
  #read(bytes: Buffer, start: number, end: number, out: DecodedFrame[]): number {
    const state = frameState(bytes, start, end);
    if (state === IMPOSSIBLE) {
      this.#dead = true;
      const excerpt = escapeBytes(bytes.subarray(start, Math.min(end, start + 64)));
      out.push({ kind: "bad_frame", excerpt });
      return 0;
    }
    if (state === INCOMPLETE) return 0;
    const length = bytes.readUInt32BE(start);
    const headerEnd = start + PREFIX + bytes.readUInt32BE(start + 4);
    const frameEnd = start + 4 + length;
    if (length > this.maxFrame) {
      if (end < headerEnd) return 0;
      out.push({
        kind: "too_large",
        header: parseHeader(bytes, start + PREFIX, headerEnd),
        length,
      });
      const used = Math.min(frameEnd, end) - start;
      this.#skip = frameEnd - start - used;
      return used;
    }
    if (end < frameEnd) return 0;
    const header = parseHeader(bytes, start + PREFIX, headerEnd);
    if (header === null) out.push({ kind: "bad_header", length });
    else out.push({ kind: "frame", header, body: bytes.subarray(headerEnd, frameEnd) });
    return frameEnd - start;
  }
}

/** How many bytes, from the start of the frame, the next decision needs. */
function bytesNeeded(bytes: Buffer, available: number, maxFrame: number): number {
  if (frameState(bytes, 0, available) !== KNOWN) return available < 4 ? 4 : PREFIX;
  const length = bytes.readUInt32BE(0);
  return length > maxFrame ? PREFIX + bytes.readUInt32BE(4) : 4 + length;
}

// Numbers, not an object with both lengths: this runs for every frame.
const IMPOSSIBLE = 0;
const INCOMPLETE = 1;
const KNOWN = 2;

/** Whether both lengths are there, and make sense as far as they are. */
function frameState(bytes: Buffer, start: number, end: number): number {
  // A frame's first byte is at most 0x04; anything printed by accident is above.
  if (end > start && bytes[start]! > 0x04) return IMPOSSIBLE;
  if (end - start < 4) return INCOMPLETE;
  const length = bytes.readUInt32BE(start);
  if (length > ABSOLUTE_MAX_FRAME || length < 5) return IMPOSSIBLE;
  if (end - start < PREFIX) return INCOMPLETE;
  const headerLength = bytes.readUInt32BE(start + 4);
  const isPossible = headerLength >= 1 && headerLength <= MAX_HEADER && headerLength <= length - 4;
  return isPossible ? KNOWN : IMPOSSIBLE;
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
