import type { Duplex } from "node:stream";
import { encodeHead, measureHead, writeHead } from "@tasker-core/sdk/protocol";

/** Up to here one copy into one buffer is cheaper than a vector of small ones. */
const ONE_WRITE_BYTES = 64 * 1024;
/** Above this much unsent, the reader on the other side is behind: stop dispatching. */
const CONGESTED_BYTES = 1024 * 1024;

interface WaitingFrame {
  readonly headerText: string;
  readonly body: Uint8Array | null;
}

/** Collects the frames of one turn of the event loop and writes them together: a system call costs more than a frame. */
export class FrameWriter {
  readonly #stream: Duplex;
  readonly #beforeFlush: () => void;
  #frames: WaitingFrame[] = [];
  #bytes = 0;
  #isScheduled = false;

  /** @param beforeFlush last chance to add frames to the batch. */
  constructor(stream: Duplex, beforeFlush: () => void) {
    this.#stream = stream;
    this.#beforeFlush = beforeFlush;
  }

  get isCongested(): boolean {
    return this.#bytes + this.#stream.writableLength > CONGESTED_BYTES;
  }

  /** @throws RangeError when header or frame exceed what any reader accepts. */
  write(headerText: string, body: Uint8Array | null): void {
    const bodyLength = body?.byteLength ?? 0;
    this.#bytes += measureHead(headerText, bodyLength) + bodyLength;
    this.#frames.push({ headerText, body });
    this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#beforeFlush();
    this.#isScheduled = false;
    const frames = this.#frames;
    const bytes = this.#bytes;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#bytes = 0;
    if (!this.#stream.writable) return;
    if (bytes <= ONE_WRITE_BYTES) this.#stream.write(joined(frames, bytes));
    else this.#writeVector(frames);
  }

  /** Large bodies are not copied. */
  #writeVector(frames: readonly WaitingFrame[]): void {
    this.#stream.cork();
    for (const { headerText, body } of frames) {
      this.#stream.write(encodeHead(headerText, body?.byteLength ?? 0));
      if (body !== null && body.byteLength > 0) this.#stream.write(body);
    }
    this.#stream.uncork();
  }
}

/** One buffer for all, filled in place: a buffer per frame, here and when reading, was a good part of the cost per step. */
function joined(frames: readonly WaitingFrame[], bytes: number): Buffer {
  const batch = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { headerText, body } of frames) {
    at = writeHead(batch, at, headerText, body?.byteLength ?? 0);
    if (body === null) continue;
    batch.set(body, at);
    at += body.byteLength;
  }
  return batch;
}
