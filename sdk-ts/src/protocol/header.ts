import { Buffer, isUtf8 } from "node:buffer";

/** The fields of a header, read but not yet checked against its message type. */
export interface RawHeader {
  readonly type: string;
  readonly [field: string]: unknown;
}

const REPLACEMENT = "\ufffd";

/** Reads a header's bytes; null when they are not one JSON object in UTF-8 with a string `type`. */
export function parseHeader(bytes: Uint8Array): RawHeader | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Not latin1 or TextDecoder: `toString` is several times faster at header size, but replaces invalid bytes
  // silently and keeps a byte order mark, which JSON.parse then refuses.
  const text = buffer.toString("utf8");
  if (text.includes(REPLACEMENT) && !isUtf8(buffer)) return null;
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
