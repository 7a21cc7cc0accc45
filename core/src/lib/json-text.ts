import { isUtf8 } from "node:buffer";

/** Deeper texts stop Ruby's and Python's parsers, so nobody may send them. */
export const MAX_JSON_DEPTH = 64;
/** Longer numbers, or exponents beyond this, overflow Postgres' `numeric`. */
const MAX_NUMBER_LENGTH = 1000;
const MAX_EXPONENT = 400;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A fault: where it is and, unless it is merely an unexpected byte, what it is. */
class Fault {
  readonly at: number;
  readonly what: string | null;

  constructor(at: number, what: string | null = null) {
    this.at = at;
    this.what = what;
  }
}

/**
 * Says what keeps `bytes` from being one JSON value that Postgres and every language here can read, or null when
 * nothing does. Beyond the grammar it refuses invalid UTF-8, U+0000, lone surrogates and nesting over 64.
 *
 * A scan, not a parse: nothing is built. Measured 0.5 µs at 300 B, 14 µs at 10 KB, 1.3 ms at 1 MB of objects; JSON.parse
 * took 2.2 to 2.7 times as long.
 */
export function findJsonFault(bytes: Uint8Array): string | null {
  if (!isUtf8(bytes)) return "not valid UTF-8";
  const end = scanValue(bytes);
  if (typeof end === "number") return end === bytes.length ? null : describe(bytes, new Fault(end));
  return describe(bytes, end);
}

function describe(bytes: Uint8Array, fault: Fault): string {
  if (fault.what !== null) return `${fault.what} at byte ${fault.at}`;
  const byte = bytes[fault.at];
  if (byte === undefined) return "unexpected end";
  const shown = byte > 0x20 && byte < 0x7f ? `\`${String.fromCharCode(byte)}\`` : `byte ${byte}`;
  return `unexpected ${shown} at byte ${fault.at}`;
}

/** The scanners below take the position of the first byte they look at and return the one after the last. */
function scanValue(bytes: Uint8Array): number | Fault {
  // The closing bracket that each open one waits for, outermost first.
  const open: number[] = [];
  let at = skipSpace(bytes, 0);
  for (;;) {
    // A value is expected.
    const byte = bytes[at];
    let next: number | Fault;
    if (byte === QUOTE) {
      next = scanString(bytes, at);
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      if (open.length === MAX_JSON_DEPTH)
        return new Fault(at, `nested deeper than ${MAX_JSON_DEPTH}`);
      const close = byte === OPEN_ARRAY ? CLOSE_ARRAY : CLOSE_OBJECT;
      next = skipSpace(bytes, at + 1);
      if (bytes[next] === close) {
        next++;
      } else {
        open.push(close);
        if (close === CLOSE_OBJECT) next = scanKey(bytes, next);
        if (typeof next !== "number") return next;
        at = next;
        continue;
      }
    } else {
      next = scanScalar(bytes, at);
    }
    // A value has ended: close what closes, until a comma asks for another one.
    for (;;) {
      if (typeof next !== "number") return next;
      at = skipSpace(bytes, next);
      const close = open.at(-1);
      if (close === undefined) return at;
      if (bytes[at] === COMMA) break;
      if (bytes[at] !== close) return new Fault(at);
      open.pop();
      next = at + 1;
    }
    at = skipSpace(bytes, at + 1);
    if (open.at(-1) === CLOSE_OBJECT) {
      const value = scanKey(bytes, at);
      if (typeof value !== "number") return value;
      at = value;
    }
  }
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  let byte = bytes[at];
  // Most texts have none: one comparison then.
  while (byte !== undefined && byte <= 0x20) {
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    byte = bytes[++at];
  }
  return at;
}

/** A key and its colon. */
function scanKey(bytes: Uint8Array, at: number): number | Fault {
  if (bytes[at] !== QUOTE) return new Fault(at);
  const end = scanString(bytes, at);
  if (typeof end !== "number") return end;
  const colon = skipSpace(bytes, end);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : new Fault(colon);
}

function scanString(bytes: Uint8Array, start: number): number | Fault {
  const end = bytes.length;
  let at = start + 1;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) {
      const escaped = scanEscape(bytes, at);
      if (typeof escaped !== "number") return escaped;
      at = escaped;
    } else if (byte < 0x20) {
      return new Fault(at);
    } else {
      at++;
    }
  }
  return new Fault(end);
}

function scanEscape(bytes: Uint8Array, at: number): number | Fault {
  switch (bytes[at + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75:
      return scanUnicodeEscape(bytes, at);
    default:
      return new Fault(at, "unknown escape");
  }
}

function scanUnicodeEscape(bytes: Uint8Array, at: number): number | Fault {
  const unit = hex4(bytes, at + 2);
  if (unit === null) return new Fault(at, "unknown escape");
  if (unit === 0) return new Fault(at, "U+0000");
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  const isFollowed = bytes[at + 6] === BACKSLASH && bytes[at + 7] === 0x75;
  const low = isFollowed ? hex4(bytes, at + 8) : null;
  const isPair = unit < 0xdc00 && low !== null && low >= 0xdc00 && low <= 0xdfff;
  return isPair ? at + 12 : new Fault(at, "lone surrogate");
}

function hex4(bytes: Uint8Array, at: number): number | null {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] ?? 0;
    const lower = byte | 0x20;
    if (isDigit(byte)) unit = unit * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return null;
  }
  return unit;
}

function scanScalar(bytes: Uint8Array, at: number): number | Fault {
  const byte = bytes[at];
  if (byte === 0x74) return scanWord(bytes, at, "true");
  if (byte === 0x66) return scanWord(bytes, at, "false");
  if (byte === 0x6e) return scanWord(bytes, at, "null");
  return byte === 0x2d || isDigit(byte) ? scanNumber(bytes, at) : new Fault(at);
}

function scanWord(bytes: Uint8Array, at: number, word: string): number | Fault {
  for (let i = 1; i < word.length; i++) {
    if (bytes[at + i] !== word.charCodeAt(i)) return new Fault(at + i);
  }
  return at + word.length;
}

function scanNumber(bytes: Uint8Array, start: number): number | Fault {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  if (!isDigit(bytes[at])) return new Fault(at);
  at = bytes[at] === 0x30 ? at + 1 : skipDigits(bytes, at);
  if (bytes[at] === 0x2e) {
    if (!isDigit(bytes[at + 1])) return new Fault(at + 1);
    at = skipDigits(bytes, at + 1);
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const hasSign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d;
    const first = at + (hasSign ? 2 : 1);
    if (!isDigit(bytes[first])) return new Fault(first);
    at = skipDigits(bytes, first);
    const exponent = Number(Buffer.from(bytes.subarray(first, at)).toString("latin1"));
    if (exponent > MAX_EXPONENT) return new Fault(start, "number out of range");
  }
  return at - start > MAX_NUMBER_LENGTH ? new Fault(start, "number too long") : at;
}

function skipDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at++;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
