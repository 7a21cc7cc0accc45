import { Buffer } from "node:buffer";
import { hostname } from "node:os";
import {
  buildHello,
  type ChallengeHeader,
  checkForHandler,
  type DecodedFrame,
  encodeFrame,
  FrameDecoder,
  type HandlerHeader,
  type HelloHeader,
  type HostHeader,
  isWelcomeProven,
  type WelcomeHeader,
} from "../protocol/index.js";
import { DEFAULT_MAX_FRAME } from "../protocol/version.js";
import { complain } from "../stderr.js";
import { SDK_VERSION } from "../version.js";
import { type BridgeAddress, type BridgeChannel, openChannel } from "./channel.js";

/** What a handler process says about itself. */
export interface Introduction {
  readonly workerId: string;
  readonly pool: string;
  readonly slots: number;
  readonly token: string | null;
  readonly resumeId: string | null;
  readonly held: readonly string[];
  readonly lifecycleEvents: readonly string[];
  readonly domainEvents: readonly string[];
  readonly publishers: readonly string[];
  /** Body of `hello`: JSON text. */
  readonly manifest: string;
}

export interface ConnectionListener {
  onMessage(header: HostHeader, body: Uint8Array): void;
  /** Once; nothing is read afterwards. */
  onEnd(why: string): void;
}

/** The host and this process do not agree: trying again does not help. */
export class HandshakeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "HandshakeError";
  }
}

const HANDSHAKE_MS = 5_000;
const MAX_NACKS = 10;
const NACK_WINDOW_MS = 60_000;

/** One connection: frames of one turn of the event loop leave together. */
export class BridgeConnection {
  readonly welcome: WelcomeHeader;
  readonly maxFrame: number;
  readonly #channel: BridgeChannel;
  readonly #pending: Uint8Array[] = [];
  readonly #nackTimes: number[] = [];
  #listener: ConnectionListener | null = null;
  #isFlushScheduled = false;
  #isOpen = true;
  #early: DecodedFrame[] | null = [];
  #endedEarly: string | null = null;

  private constructor(channel: BridgeChannel, welcome: WelcomeHeader) {
    this.#channel = channel;
    this.welcome = welcome;
    this.maxFrame = Math.min(DEFAULT_MAX_FRAME, welcome.max_frame);
  }

  /**
   * Dials and shakes hands.
   * @throws HandshakeError when the two do not agree, Error when nobody answers
   */
  static async open(address: BridgeAddress, introduce: Introduction): Promise<BridgeConnection> {
    const channel = await openChannel(address);
    return await new Promise((resolve, reject) => {
      const decoder = new FrameDecoder(DEFAULT_MAX_FRAME);
      const greeting = new Greeting(introduce);
      let connection: BridgeConnection | null = null;
      const fail = (error: Error): void => {
        clearTimeout(late);
        reject(error);
        channel.destroy();
      };
      const late = setTimeout(
        () => fail(new HandshakeError(`The host did not shake hands within ${HANDSHAKE_MS} ms`)),
        HANDSHAKE_MS,
      );
      const onData = (chunk: Uint8Array): void => {
        for (const frame of decoder.push(chunk)) {
          if (connection !== null) {
            connection.#receive(frame);
            continue;
          }
          try {
            const welcome = greeting.answer(frame, (bytes) => channel.write(bytes));
            if (welcome === null) continue;
            clearTimeout(late);
            connection = new BridgeConnection(channel, welcome);
            decoder.maxFrame = connection.maxFrame;
            resolve(connection);
          } catch (error) {
            fail(error as Error);
            return;
          }
        }
      };
      channel.open(onData, (why) => {
        if (connection === null) fail(new Error(`The channel ended during the handshake: ${why}`));
        else connection.#ended(why);
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Begins to hand over messages, those that came right behind the handshake first. */
  listen(listener: ConnectionListener): void {
    this.#listener = listener;
    const early = this.#early ?? [];
    this.#early = null;
    for (const frame of early) this.#receive(frame);
    if (this.#endedEarly !== null) listener.onEnd(this.#endedEarly);
  }

  send(header: HandlerHeader, body?: Uint8Array): void {
    for (const part of encodeFrame(header, body)) this.sendBytes(part);
  }

  /** A frame that was encoded before. */
  sendBytes(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#pending.push(bytes);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Says goodbye and closes. */
  bye(reason: string, code?: string): void {
    if (!this.#isOpen) return;
    this.send({ type: "bye", reason, ...(code === undefined ? {} : { code }) });
    this.#flush();
    this.#channel.end();
  }

  close(): void {
    this.#channel.destroy();
    this.#ended("closed");
  }

  nack(code: string, detail: string, refType: string, refId?: string): void {
    const ref = refId === undefined ? {} : { ref_id: refId.slice(0, 64) };
    this.send({ type: "nack", ref_type: refType.slice(0, 64), code, detail, ...ref });
    const now = Date.now();
    this.#nackTimes.push(now);
    while (now - this.#nackTimes[0]! > NACK_WINDOW_MS) this.#nackTimes.shift();
    if (this.#nackTimes.length >= MAX_NACKS) {
      this.bye(`${this.#nackTimes.length} bad messages within a minute`, "protocol_error");
    }
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    if (this.#pending.length === 0 || !this.#isOpen) return;
    const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending.length = 0;
    this.#channel.write(bytes);
  }

  #receive(frame: DecodedFrame): void {
    if (this.#early !== null) {
      this.#early.push(frame);
      return;
    }
    if (!this.#isOpen) return;
    switch (frame.kind) {
      case "bad_frame":
        complain(`tasker-worker: the channel is out of step; it starts with ${frame.excerpt}`);
        this.bye("The channel is out of step", "bad_frame");
        return;
      case "bad_header":
        this.nack("bad_header", `A header of a frame of ${frame.length} bytes is unreadable`, "");
        return;
      case "too_large": {
        const { type = "", delivery_id: id } = (frame.header ?? {}) as Record<string, unknown>;
        const detail = `A frame of ${frame.length} bytes; the limit is ${this.maxFrame}`;
        this.nack("too_large", detail, String(type), typeof id === "string" ? id : undefined);
        return;
      }
      case "frame": {
        const { header, fault } = checkForHandler(frame.header);
        if (fault === null) this.#listener?.onMessage(header, frame.body);
        else {
          const id = (frame.header as unknown as Record<string, unknown>)["delivery_id"];
          const ref = typeof id === "string" ? id : undefined;
          this.nack(fault.code, fault.detail, frame.header.type, ref);
        }
      }
    }
  }

  #ended(why: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#listener === null) this.#endedEarly = why;
    else this.#listener.onEnd(why);
  }
}

/** `challenge` → `hello` → `welcome`. */
class Greeting {
  readonly #introduce: Introduction;
  #challenge: ChallengeHeader | null = null;
  #hello: HelloHeader | null = null;

  constructor(introduce: Introduction) {
    this.#introduce = introduce;
  }

  answer(frame: DecodedFrame, write: (bytes: Uint8Array) => void): WelcomeHeader | null {
    const wanted = this.#challenge === null ? "challenge" : "welcome";
    if (frame.kind !== "frame")
      throw new HandshakeError(`Expected \`${wanted}\`, got ${frame.kind}`);
    const { header, fault } = checkForHandler(frame.header);
    if (fault !== null) throw new HandshakeError(`Expected \`${wanted}\`: ${fault.detail}`);
    if (header.type === "reject") {
      throw new HandshakeError(`The host refused this process: ${header.code}: ${header.message}`);
    }
    if (header.type === "challenge" && this.#challenge === null) {
      this.#challenge = header;
      this.#hello = this.#helloFor(header);
      const body = Buffer.from(this.#introduce.manifest);
      for (const part of encodeFrame(this.#hello, body)) write(part);
      return null;
    }
    if (header.type !== "welcome" || this.#challenge === null || this.#hello === null) {
      throw new HandshakeError(`Expected \`${wanted}\`, got \`${header.type}\``);
    }
    if (!isWelcomeProven(this.#challenge, this.#hello, header, this.#introduce.token)) {
      throw new HandshakeError("The host did not prove that it knows the token");
    }
    return header;
  }

  #helloFor(challenge: ChallengeHeader): HelloHeader {
    const { token, ...facts } = this.#introduce;
    try {
      return buildHello(
        challenge,
        {
          language: "typescript",
          language_version: runtimeVersion(),
          sdk_version: SDK_VERSION,
          worker_id: facts.workerId,
          pid: process.pid,
          hostname: hostname(),
          max_frame: DEFAULT_MAX_FRAME,
          pools: [{ name: facts.pool, slots: facts.slots }],
          resume_id: facts.resumeId,
          held: [...facts.held],
          lifecycle_events: [...facts.lifecycleEvents],
          domain_events: [...facts.domainEvents],
          publishers: [...facts.publishers],
        },
        token,
      );
    } catch (error) {
      throw new HandshakeError((error as Error).message);
    }
  }
}

/** `node 20.19.0`, `bun 1.4.5` or `deno 2.9.6` */
export function runtimeVersion(): string {
  const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (bun !== undefined) return `bun ${bun}`;
  return deno === undefined ? `node ${node}` : `deno ${deno}`;
}
