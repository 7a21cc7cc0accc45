import { Socket } from "node:net";
import { ABSOLUTE_MAX_FRAME, type CancelHeader } from "@tasker-core/sdk/protocol";
import { NativeLibraryError } from "./errors.js";
import type { FullExports } from "./exports.js";
import type { LibraryRun, RunListener } from "./run.js";
import type { LibrarySpec } from "./spec.js";

const FIRST_BUFFER_BYTES = 256 * 1024;
/** Where there is no descriptor to watch, and before a full library is offered the rest. */
const LOOK_AGAIN_MS = 2;
const REASONS = { timeout: 1, task_cancelled: 2, lease_lost: 3, shutdown: 4 } as const;

/**
 * A library with threads of its own. Nothing here waits: the loop is woken by the library's descriptor, and one call
 * takes all the answers there are.
 */
export class FullRun implements LibraryRun {
  readonly form = "full";
  readonly manifest: Uint8Array;
  readonly #exports: FullExports;
  readonly #listener: RunListener;
  readonly #handle: unknown;
  readonly #wake: Socket | null;
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
  /** Not taken yet: the library had no room. */
  #waiting: Buffer[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** @throws NativeLibraryError when the library cannot be opened */
  constructor(spec: LibrarySpec, exports: FullExports, listener: RunListener) {
    this.#exports = exports;
    this.#listener = listener;
    const { name, slots, settings } = spec;
    const { code, bytes, handle } = exports.open(
      Buffer.from(JSON.stringify({ name, slots, settings })),
    );
    if (code !== 0) {
      const why = bytes.length === 0 ? "" : `: ${bytes.subarray(0, 1024).toString()}`;
      throw new NativeLibraryError(name, spec.path, `\`open\` returned ${code}${why}`);
    }
    this.manifest = bytes;
    this.#handle = handle;
    this.#wake = this.#watch(exports.wakeFd(handle));
    if (this.#wake === null) this.#lookAgain();
  }

  offer(frames: Buffer): void {
    if (this.#isClosed) return;
    if (this.#waiting.length > 0) this.#waiting.push(frames);
    else this.#give(frames);
  }

  cancel(deliveryId: string, reason: CancelHeader["reason"]): void {
    if (this.#isClosed) return;
    const id = Buffer.from(deliveryId);
    this.#exports.cancel(this.#handle, id, id.byteLength, REASONS[reason]);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
    this.#wake?.destroy();
    this.#exports.close(this.#handle);
  }

  #watch(fd: number): Socket | null {
    if (fd < 0) return null;
    const wake = new Socket({ fd, readable: true, writable: false });
    wake.on("data", () => this.#drain());
    wake.once("end", () => this.#break("it closed its wake descriptor"));
    wake.once("error", (error) => this.#break(`its wake descriptor fails: ${error.message}`));
    wake.resume();
    return wake;
  }

  #lookAgain(): void {
    if (this.#timer !== null || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#drain();
      for (const frames of this.#waiting.splice(0)) this.offer(frames);
      if (this.#wake === null || this.#waiting.length > 0) this.#lookAgain();
    }, LOOK_AGAIN_MS);
  }

  #give(frames: Buffer): void {
    const taken = Number(this.#exports.offer(this.#handle, frames, frames.byteLength));
    if (taken === frames.byteLength) return;
    if (taken < 0 || taken > frames.byteLength) {
      this.#break(`\`offer\` returned ${taken} for ${frames.byteLength} bytes`);
      return;
    }
    this.#waiting.push(frames.subarray(taken));
    this.#lookAgain();
  }

  #drain(): void {
    while (!this.#isClosed) {
      const capacity = this.#buffer.byteLength;
      const size = Number(this.#exports.drain(this.#handle, this.#buffer, capacity));
      if (size === 0) return;
      if (size < 0 && -size <= ABSOLUTE_MAX_FRAME + 4 && -size > capacity) {
        this.#buffer = Buffer.allocUnsafe(-size);
        continue;
      }
      if (size < 0 || size > capacity) {
        this.#break(`\`drain\` returned ${size} for a buffer of ${capacity} bytes`);
        return;
      }
      this.#listener.frames(Buffer.from(this.#buffer.subarray(0, size)));
      // One large answer must not keep its size for ever.
      if (capacity > FIRST_BUFFER_BYTES) this.#buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES);
    }
  }

  #break(why: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.broken(why);
  }
}
