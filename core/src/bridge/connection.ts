import type { Duplex } from "node:stream";
import {
  type AckHeader,
  checkForHost,
  type DecodedFrame,
  FrameDecoder,
  HANDSHAKE_MAX_FRAME,
  type HandlerHeader,
  type HostHeader,
  type NackCode,
  type RawHeader,
} from "@tasker-core/sdk/protocol";
import type { Clock } from "../lib/clock.js";
import { createDeferred } from "../lib/deferred.js";
import type { Logger } from "../observability/index.js";
import { FaultWindow } from "./fault-window.js";
import { FrameWriter } from "./frame-writer.js";

/** Who hears what arrives: first the handshake, then the session. */
export interface ConnectionListener {
  message(header: HandlerHeader, body: Uint8Array): void;
  /** A frame over the limit was passed over; its header is null when that was unreadable. */
  tooLarge(header: RawHeader | null, bytes: number): void;
  /** What waited to be sent is gone: dispatching may go on. */
  writable(): void;
}

const DEAF: ConnectionListener = {
  message: () => undefined,
  tooLarge: () => undefined,
  writable: () => undefined,
};

const MAX_LIST = 256;
type AckItem = AckHeader["items"][number];

/**
 * Frames in and out over one stream, whatever carries it. Answers what it cannot use with `nack` and goes on; ends
 * after ten of those in a minute or an impossible frame. Owns the stream.
 */
export class BridgeConnection {
  /** Settles once, with why the connection ended. */
  readonly closed: Promise<string>;
  listener: ConnectionListener = DEAF;
  readonly #stream: Duplex;
  readonly #logger: Logger;
  readonly #decoder = new FrameDecoder(HANDSHAKE_MAX_FRAME);
  readonly #writer: FrameWriter;
  readonly #faults: FaultWindow;
  readonly #closed = createDeferred<string>();
  #acks: AckItem[] = [];
  #endReason: string | null = null;
  #brokenRule: string | null = null;
  /** Moves whenever the peer says anything. */
  heardAtMs: number;
  readonly #clock: Clock;

  constructor(stream: Duplex, deps: { readonly logger: Logger; readonly clock: Clock }) {
    this.#stream = stream;
    this.#logger = deps.logger;
    this.#clock = deps.clock;
    this.#faults = new FaultWindow(deps.clock);
    this.#writer = new FrameWriter(stream, () => this.#writeAcks());
    this.heardAtMs = deps.clock.nowMs();
    this.closed = this.#closed.promise;
    stream.on("data", (chunk: Uint8Array) => this.#read(chunk));
    stream.on("drain", () => this.listener.writable());
    stream.once("end", () => this.#end(this.#decoder.isPartial ? "ended inside a frame" : "ended"));
    stream.once("error", (error) => this.#end(error.message));
    stream.once("close", () => this.#end("closed"));
  }

  get isOpen(): boolean {
    return this.#endReason === null;
  }

  /** How the peer broke the protocol, when that ended the connection. */
  get brokenRule(): string | null {
    return this.#brokenRule;
  }

  get isCongested(): boolean {
    return this.#writer.isCongested;
  }

  /** Largest frame accepted from the peer from now on. */
  set maxFrame(bytes: number) {
    this.#decoder.maxFrame = bytes;
  }

  send(header: HostHeader, body: Uint8Array | null = null): void {
    if (this.isOpen) this.#writer.write(JSON.stringify(header), body);
  }

  /** Acknowledges one completion; those of one turn of the event loop travel together. */
  ack(item: AckItem): void {
    if (!this.isOpen) return;
    this.#acks.push(item);
    this.#writer.schedule();
  }

  /** Tells the peer that it sent something unusable; too many of those end the connection. */
  nack(code: NackCode, detail: string, ref: { readonly type: string; readonly id: unknown }): void {
    const refId = typeof ref.id === "string" ? ref.id.slice(0, 64) : null;
    const refType = ref.type.slice(0, 64);
    this.#logger.warn({ code, ref_type: refType, ref_id: refId }, `unusable message: ${detail}`);
    this.send({ type: "nack", ref_type: refType, ref_id: refId, code, detail });
    if (this.#faults.add()) this.#giveUp("protocol_error", "too many unusable messages");
  }

  /** Refuses a message that is well formed but not served here. Does not count as a fault. */
  decline(
    code: NackCode,
    detail: string,
    ref: { readonly type: string; readonly id: string },
  ): void {
    this.#logger.warn({ code, ref_type: ref.type, ref_id: ref.id }, detail);
    this.send({ type: "nack", ref_type: ref.type, ref_id: ref.id, code, detail });
  }

  /** Sends what is waiting, then closes. */
  close(reason: string): void {
    if (!this.isOpen) return;
    this.#writer.flush();
    this.#stream.end();
    this.#end(reason);
  }

  #read(chunk: Uint8Array): void {
    if (!this.isOpen) return;
    this.heardAtMs = this.#clock.nowMs();
    for (const frame of this.#decoder.push(chunk)) {
      if (!this.isOpen) return;
      this.#receive(frame);
    }
  }

  #receive(frame: DecodedFrame): void {
    switch (frame.kind) {
      case "frame": {
        const { header, fault } = checkForHost(frame.header);
        if (fault === null) this.listener.message(header, frame.body);
        else this.nack(fault.code, fault.detail, refOf(frame.header));
        return;
      }
      case "bad_header":
        this.nack("bad_header", "Expected the header to be one JSON object with a string `type`", {
          type: "",
          id: null,
        });
        return;
      case "too_large": {
        const detail = `A frame of ${frame.length} bytes is over the limit of ${this.#decoder.maxFrame}`;
        this.nack("too_large", detail, frame.header === null ? NO_REF : refOf(frame.header));
        this.listener.tooLarge(frame.header, frame.length);
        return;
      }
      case "bad_frame":
        this.#logger.error({ bytes: frame.excerpt }, "not a frame on the bridge channel");
        this.#giveUp("bad_frame", `not a frame: ${frame.excerpt}`);
    }
  }

  #giveUp(code: string, reason: string): void {
    this.#brokenRule = `${code}: ${reason}`;
    this.send({ type: "bye", reason, code });
    this.close(this.#brokenRule);
  }

  #writeAcks(): void {
    while (this.#acks.length > 0) {
      const items = this.#acks.splice(0, MAX_LIST);
      this.#writer.write(JSON.stringify({ type: "ack", items } satisfies AckHeader), null);
    }
  }

  #end(reason: string): void {
    if (this.#endReason !== null) return;
    this.#endReason = reason;
    this.listener = DEAF;
    this.#acks = [];
    this.#closed.resolve(reason);
    // Late errors (EPIPE on the last write) have no one left to interest.
    this.#stream.on("error", () => undefined);
    if (!this.#stream.writableEnded) this.#stream.destroy();
  }
}

const NO_REF = { type: "", id: null };

function refOf(header: RawHeader): { type: string; id: unknown } {
  return { type: header.type, id: header["delivery_id"] };
}
