import { type Buffer, isUtf8 } from "node:buffer";

/** The fields of a header, read but not yet checked against its message type. */
export interface RawHeader {
  readonly type: string;
  readonly [field: string]: unknown;
}

const REPLACEMENT = "\ufffd";

/** Reads a header from `bytes[start..end)`; null when it is not one JSON object in UTF-8 with a string `type`. */
export function parseHeader(
  bytes: Buffer,
  start: number = 0,
  end: number = bytes.length,
): RawHeader | null {
  // `toString` is several times faster than TextDecoder at header size, but replaces invalid bytes silently. A byte
  // order mark it keeps, which JSON.parse then refuses.
  const text = bytes.toString("utf8", start, end);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end))) return null;
  return parseHeaderText(text);
}

export function parseHeaderText(text: string): RawHeader | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isRawHeader(value) ? value : null;
}

function isRawHeader(value: unknown): value is RawHeader {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    "type" in value &&
    typeof value.type === "string"
  );
}
