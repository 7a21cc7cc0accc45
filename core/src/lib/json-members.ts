const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * The members of one JSON object as slices of its bytes, values untouched; of a repeated key the last counts.
 * The text must have passed {@link findJsonFault}. Null when it is not an object.
 */
export function jsonMembers(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | null {
  return isObject(bytes) ? new Map(eachMember(bytes)) : null;
}

/** A key that one JSON object has more than once, or null. The text as for {@link jsonMembers}. */
export function repeatedKey(bytes: Uint8Array): string | null {
  const seen = new Set<string>();
  for (const [key] of isObject(bytes) ? eachMember(bytes) : []) {
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return null;
}

function isObject(bytes: Uint8Array): boolean {
  let at = 0;
  while (isSpace(bytes[at])) at++;
  return bytes[at] === 0x7b;
}

function* eachMember(bytes: Uint8Array): Iterable<[key: string, value: Uint8Array]> {
  let at = 0;
  while (isSpace(bytes[at])) at++;
  at++; // the opening brace
  for (;;) {
    while (isSpace(bytes[at]) || bytes[at] === COMMA) at++;
    if (bytes[at] !== QUOTE) return;
    const keyEnd = stringEnd(bytes, at);
    const key = JSON.parse(Buffer.from(bytes.subarray(at, keyEnd)).toString("utf8")) as string;
    at = keyEnd;
    while (isSpace(bytes[at]) || bytes[at] === COLON) at++;
    const end = valueEnd(bytes, at);
    yield [key, bytes.subarray(at, end)];
    at = end;
  }
}

/** Where a value that starts at `at` ends: at the comma or bracket behind it, on its own level. */
function valueEnd(bytes: Uint8Array, start: number): number {
  let depth = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = stringEnd(bytes, at);
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return at;
      depth--;
    } else if (byte === COMMA && depth === 0) return at;
    at++;
  }
  return at;
}

function stringEnd(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
