import { StringDecoder } from "node:string_decoder";
import type { Clock } from "../lib/clock.js";

/** Longer lines are cut into pieces of this many characters. */
const MAX_LINE = 8192;
/** Records per second that one process may add to the host's log; what is over is counted. */
const LINES_PER_SECOND = 200;

/** Cuts what a process prints into lines. Holds at most one line. */
export class OutputLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  #partial = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    const lines = (this.#partial + this.#decoder.write(Buffer.from(chunk))).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
    while (this.#partial.length > MAX_LINE) {
      this.#emit(this.#partial.slice(0, MAX_LINE));
      this.#partial = this.#partial.slice(MAX_LINE);
    }
  }

  /** The last line, when it did not end in a newline. */
  end(): void {
    const rest = this.#partial + this.#decoder.end();
    this.#partial = "";
    if (rest !== "") this.#emit(rest);
  }

  #emit(line: string): void {
    for (let at = 0; at === 0 || at < line.length; at += MAX_LINE) {
      this.#onLine(line.slice(at, at + MAX_LINE).trimEnd());
    }
  }
}

/** Lets a number of lines through per second, and says afterwards how many it kept back. */
export class LineLimit {
  readonly #clock: Clock;
  #windowStartMs: number;
  #used = 0;
  #dropped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStartMs = clock.nowMs();
  }

  /** Whether to log this line, and how many were dropped since the last one that was. */
  admit(): { readonly isAdmitted: boolean; readonly droppedBefore: number } {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs >= 1000) {
      this.#windowStartMs = nowMs;
      this.#used = 0;
    }
    if (this.#used >= LINES_PER_SECOND) {
      this.#dropped++;
      return { isAdmitted: false, droppedBefore: 0 };
    }
    this.#used++;
    const droppedBefore = this.#dropped;
    this.#dropped = 0;
    return { isAdmitted: true, droppedBefore };
  }
}
