import type { Duplex } from "node:stream";
import {
  type CheckpointHeader,
  checkForHost,
  type ErrorHeader,
  FrameDecoder,
  type HandlerHeader,
  type ResultHeader,
} from "@tasker-core/sdk/protocol";
import { createDeferred } from "../../lib/deferred.js";
import { findJsonFault } from "../../lib/json-text.js";
import { BrokenRuleError } from "./broken-rule.js";

export interface Received<Header extends HandlerHeader = HandlerHeader> {
  readonly header: Header;
  readonly body: Buffer;
}

export type Terminal = ResultHeader | ErrorHeader | CheckpointHeader;

/** The bodies that {@link HandlerHeader}s of these types have are one JSON value. */
const JSON_BODIES: ReadonlySet<string> = new Set(["hello", "checkpoint", "log"]);

/**
 * What came from the program, looked at as it arrives: the rules that hold at every moment are checked here. The
 * first one broken ends the reading; {@link fault} says which.
 */
export class Traffic {
  readonly messages: Received[] = [];
  readonly #decoder = new FrameDecoder();
  /** Dispatched and without a terminal message. */
  readonly #open = new Set<string>();
  readonly #closed = new Set<string>();
  #fault: BrokenRuleError | null = null;
  #hasEnded = false;
  #changed = createDeferred<void>();

  constructor(channel: Duplex) {
    channel.on("data", (chunk: Uint8Array) => this.#read(chunk));
    channel.on("error", () => this.#end());
    channel.once("end", () => this.#end());
    channel.once("close", () => this.#end());
  }

  get fault(): BrokenRuleError | null {
    return this.#fault;
  }

  /** Nothing more will come. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Settles at the next change. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  set maxFrame(bytes: number) {
    this.#decoder.maxFrame = bytes;
  }

  /** A delivery went out: it may be answered once. */
  expectAnswer(deliveryId: string): void {
    this.#open.add(deliveryId);
  }

  /** Something else that is waited for has changed. */
  wake(): void {
    const changed = this.#changed;
    this.#changed = createDeferred();
    changed.resolve();
  }

  #end(): void {
    this.#hasEnded = true;
    this.wake();
  }

  #read(chunk: Uint8Array): void {
    if (this.#fault !== null) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        if (frame.kind === "bad_frame") {
          throw new BrokenRuleError("frame.valid", `not a frame: ${frame.excerpt}`);
        }
        if (frame.kind === "too_large") {
          const type = frame.header?.type ?? "unreadable";
          const limit = this.#decoder.maxFrame;
          throw new BrokenRuleError(
            "frame.valid",
            `a frame of ${frame.length} bytes (${type}); the limit is ${limit}`,
          );
        }
        if (frame.kind === "bad_header") {
          throw new BrokenRuleError(
            "header.schema",
            "a header that is no JSON object with a `type`",
          );
        }
        const { header, fault } = checkForHost(frame.header);
        if (fault !== null) throw new BrokenRuleError("header.schema", fault.detail);
        this.#take({ header, body: Buffer.from(frame.body) });
      }
    } catch (error) {
      if (!(error instanceof BrokenRuleError)) throw error;
      this.#fault = error;
    }
    this.wake();
  }

  #take(message: Received): void {
    const { header } = message;
    checkBody(message);
    if (isTerminal(header)) this.#close(header);
    for (const id of concerned(message)) {
      if (!this.#closed.has(id) || isTerminal(header)) continue;
      throw new BrokenRuleError(
        "order.before_terminal",
        `\`${header.type}\` for ${id} came after its terminal message`,
      );
    }
    this.messages.push(message);
  }

  #close(header: Terminal): void {
    const id = header.delivery_id;
    if (!this.#open.delete(id)) {
      const why = this.#closed.has(id)
        ? "a second terminal message"
        : "an answer that nobody asked for";
      throw new BrokenRuleError("answer.once", `${why}: \`${header.type}\` for ${id}`);
    }
    this.#closed.add(id);
  }
}

export function isTerminal(header: HandlerHeader): header is Terminal {
  if (header.type === "checkpoint") return header.yield;
  return header.type === "result" || header.type === "error";
}

function concerned({ header, body }: Received): string[] {
  if (header.type === "beat") return header.deliveries.map(({ id }) => id);
  if (header.type === "event" || header.type === "checkpoint") return [header.delivery_id];
  if (header.type !== "log") return [];
  return logRecords(body).flatMap(({ delivery_id: id }) => (typeof id === "string" ? [id] : []));
}

/** The records of a `log`, which has passed as JSON. */
export function logRecords(body: Buffer): Readonly<Record<string, unknown>>[] {
  const records: unknown = JSON.parse(body.toString());
  if (!Array.isArray(records) || records.some((record) => typeof record !== "object")) {
    throw new BrokenRuleError("header.schema", "the body of `log` is not a list of records");
  }
  return records as Readonly<Record<string, unknown>>[];
}

function checkBody({ header, body }: Received): void {
  for (const part of jsonParts(header, body)) {
    const fault = findJsonFault(part);
    if (fault === null) continue;
    const excerpt = part.subarray(0, 80).toString();
    if (header.type === "result" && findJsonFault(body) === null) {
      throw new BrokenRuleError(
        "answer.result",
        `\`split\` ${header.split} cuts the value: ${excerpt}`,
      );
    }
    throw new BrokenRuleError("value.json", `the body of \`${header.type}\`: ${fault}: ${excerpt}`);
  }
}

function jsonParts(header: HandlerHeader, body: Buffer): Buffer[] {
  if (JSON_BODIES.has(header.type)) return [body];
  const split =
    header.type === "result"
      ? header.split
      : header.type === "error"
        ? 0
        : header.type === "event"
          ? (header.split ?? body.length)
          : null;
  if (split === null) return [];
  if (split > body.length) {
    throw new BrokenRuleError(
      "answer.result",
      `\`split\` ${split} of \`${header.type}\` lies behind its body of ${body.length} bytes`,
    );
  }
  const details = body.subarray(split);
  const value = header.type === "error" ? [] : [body.subarray(0, split)];
  if (details.length > 0 && details[0] !== 0x7b) {
    throw new BrokenRuleError(
      "answer.result",
      `behind the \`split\` of \`${header.type}\` is no object: ${details.subarray(0, 80).toString()}`,
    );
  }
  return details.length === 0 ? value : [...value, details];
}
