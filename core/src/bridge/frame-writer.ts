import type { Duplex } from "node:stream";
import { encodeHead } from "@tasker-core/sdk/protocol";

/** Up to here one copy into one buffer is cheaper than a vector of small ones. */
const ONE_WRITE_BYTES = 64 * 1024;
/** Above this much unsent, the reader on the other side is behind: stop dispatching. */
const CONGESTED_BYTES = 1024 * 1024;

/** Collects the frames of one turn of the event loop and writes them together: a system call costs more than a frame. */
export class FrameWriter {
  readonly #stream: Duplex;
  readonly #beforeFlush: () => void;
  #parts: Uint8Array[] = [];
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

  write(headerText: string, body: Uint8Array | null): void {
    const head = encodeHead(headerText, body?.byteLength ?? 0);
    this.#parts.push(head);
    this.#bytes += head.byteLength;
    if (body !== null && body.byteLength > 0) {
      this.#parts.push(body);
      this.#bytes += body.byteLength;
    }
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
    const parts = this.#parts;
    const bytes = this.#bytes;
    if (parts.length === 0) return;
    this.#parts = [];
    this.#bytes = 0;
    if (!this.#stream.writable) return;
    if (bytes <= ONE_WRITE_BYTES) {
      this.#stream.write(parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes));
      return;
    }
    this.#stream.cork();
    for (const part of parts) this.#stream.write(part);
    this.#stream.uncork();
  }
}
