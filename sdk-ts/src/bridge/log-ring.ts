import { Buffer } from "node:buffer";
import type { LogFields, LogLevel, LogSink } from "../logger.js";
import type { HandlerHeader } from "../protocol/index.js";

const RING_RECORDS = 1000;
const FLUSH_MS = 200;
const FRAME_RECORDS = 50;
const FRAME_BYTES = 64 * 1024;
const MESSAGE_CHARACTERS = 2000;

export interface LogOrigin {
  readonly deliveryId: string;
  readonly correlationId: string;
}

type Send = (header: HandlerHeader, body: Uint8Array) => void;

/**
 * Log records on their way to the host: bounded, and the first thing dropped. They leave before the next answer, else
 * 200 ms after the first one.
 */
export class LogRing {
  readonly #send: Send;
  #records: string[] = [];
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(send: Send) {
    this.#send = send;
  }

  sink(logger: string, origin?: LogOrigin): LogSink {
    return (level, message, fields) => this.#add(logger, level, message, fields, origin);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#records.length > 0 || this.#dropped > 0) {
      let bytes = 0;
      let count = 0;
      while (count < Math.min(this.#records.length, FRAME_RECORDS) && bytes < FRAME_BYTES) {
        bytes += this.#records[count++]!.length;
      }
      const batch = this.#records.splice(0, count);
      this.#send({ type: "log", dropped: this.#dropped }, Buffer.from(`[${batch.join(",")}]`));
      this.#dropped = 0;
    }
  }

  #add(
    logger: string,
    level: LogLevel,
    message: string,
    fields: LogFields,
    origin?: LogOrigin,
  ): void {
    if (this.#records.length >= RING_RECORDS) {
      this.#records.shift();
      this.#dropped++;
    }
    this.#records.push(
      JSON.stringify({
        ts: new Date().toISOString(),
        level,
        logger,
        message: clip(message),
        fields: Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, textOf(v)])),
        ...(origin === undefined
          ? {}
          : { delivery_id: origin.deliveryId, correlation_id: origin.correlationId }),
      }),
    );
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }
}

function textOf(value: unknown): string {
  if (typeof value === "string") return clip(value);
  try {
    return clip(JSON.stringify(value) ?? String(value));
  } catch {
    return clip(String(value)); // a cycle or a bigint
  }
}

function clip(text: string): string {
  return text.length > MESSAGE_CHARACTERS ? `${text.slice(0, MESSAGE_CHARACTERS)}…` : text;
}
