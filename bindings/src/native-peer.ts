import { hostname } from "node:os";
import { Duplex } from "node:stream";
import {
  type AckHeader,
  buildHello,
  type CancelHeader,
  type ChallengeHeader,
  DEFAULT_MAX_FRAME,
  encodeFrame,
  type PingHeader,
} from "@tasker-core/sdk/protocol";
import { wholeFrames, wholeLength } from "./frames.js";
import type { LibraryRun, RunListener } from "./run.js";
import type { LibrarySpec } from "./spec.js";

const STEP = Buffer.from('{"type":"step",');
const VERSION = "0.1.0";
let opened = 0;

/**
 * A library as a handler process: it speaks the whole bridge protocol on one end of a stream, of which the library
 * itself sees only steps and cancellations. The host needs to know nothing about native code.
 */
export class NativePeer extends Duplex {
  readonly #spec: LibrarySpec;
  readonly #run: LibraryRun;
  #rest: Buffer = Buffer.alloc(0);
  /** Offered, and not yet acknowledged as answered. */
  #unanswered = 0;
  #isDraining = false;

  /**
   * @param start opens the library
   * @throws what `start` throws
   */
  constructor(spec: LibrarySpec, start: (listener: RunListener) => LibraryRun) {
    super();
    this.#spec = spec;
    this.#run = start({
      frames: (bytes) => this.push(bytes),
      broken: (why) =>
        this.destroy(new Error(`The native library \`${spec.name}\` (${spec.path}) broke: ${why}`)),
    });
  }

  override _read(): void {
    // The library is asked when it says that there is something, and never has more than its slots to say.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#receive(chunk);
    done();
  }

  override _writev(
    chunks: { readonly chunk: Buffer }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#receive(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  override _final(done: () => void): void {
    this.#run.close();
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#run.close();
    done(error);
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const whole = wholeLength(bytes);
    this.#rest = bytes.subarray(whole);
    const steps: Buffer[] = [];
    for (const frame of wholeFrames(bytes.subarray(0, whole))) {
      if (frame.subarray(8, 8 + STEP.length).equals(STEP)) steps.push(frame);
      else this.#heed(frame);
    }
    if (steps.length === 0) return;
    this.#unanswered += steps.length;
    this.#run.offer(steps.length === 1 ? (steps[0] as Buffer) : Buffer.concat(steps));
  }

  #heed(frame: Buffer): void {
    const header = JSON.parse(frame.subarray(8, 8 + frame.readUInt32BE(4)).toString()) as {
      type: string;
    };
    switch (header.type) {
      case "challenge":
        this.#greet(header as ChallengeHeader);
        return;
      case "cancel": {
        const { delivery_id, reason } = header as CancelHeader;
        this.#run.cancel(delivery_id, reason);
        return;
      }
      case "ack":
        this.#unanswered -= (header as AckHeader).items.length;
        this.#leaveWhenDone();
        return;
      case "ping":
        this.#say({ type: "pong", n: (header as PingHeader).n });
        return;
      case "drain":
        this.#isDraining = true;
        this.#leaveWhenDone();
        return;
      case "reject":
      case "bye":
        this.destroy();
        return;
      default: // `welcome`, `nack`, events that no library subscribes to: nothing to do
    }
  }

  #greet(challenge: ChallengeHeader): void {
    const { name, slots } = this.#spec;
    opened += 1;
    const hello = buildHello(
      challenge,
      {
        language: "native",
        language_version: `abi 1 (${this.#run.form})`,
        sdk_version: VERSION,
        worker_id: `native-${name}-${process.pid}-${opened}`,
        pid: process.pid,
        hostname: hostname(),
        max_frame: DEFAULT_MAX_FRAME,
        pools: [{ name, slots, prefetch: 0 }],
      },
      null,
    );
    this.#say(hello, this.#run.manifest);
  }

  #leaveWhenDone(): void {
    if (!this.#isDraining || this.#unanswered > 0) return;
    this.#isDraining = false;
    this.#say({ type: "bye", reason: "drained" });
    this.push(null);
  }

  #say(header: object, body?: Uint8Array): void {
    this.push(Buffer.concat(encodeFrame(header, body)));
  }
}
