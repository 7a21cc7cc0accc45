import type { EventHeader } from "@tasker-core/sdk/protocol";
import type { HandlerEvent } from "../channels/index.js";
import { findJsonFault } from "../lib/json-text.js";

const OPEN_OBJECT = 0x7b;

/** An `event` message; a string says why it is unusable. */
export function handlerEvent(header: EventHeader, body: Uint8Array): HandlerEvent | string {
  const split = header.split ?? body.byteLength;
  if (split > body.byteLength) return `the split ${split} lies behind the end of the event's body`;
  const verdict = header.verdict ?? "publish";
  const payload = body.subarray(0, split);
  const metadata = body.subarray(split);
  if (verdict === "publish") {
    const fault = findJsonFault(payload);
    if (fault !== null) return `the payload of event ${header.name} is not JSON: ${fault}`;
  }
  if (metadata.byteLength > 0) {
    const fault = metadata[0] === OPEN_OBJECT ? findJsonFault(metadata) : "not a JSON object";
    if (fault !== null) return `the metadata of event ${header.name}: ${fault}`;
  }
  return {
    name: header.name,
    on: header.on,
    verdict,
    publisher: header.publisher ?? "unnamed",
    payload,
    metadata: metadata.byteLength === 0 ? null : metadata,
    isPublished: false,
  };
}
