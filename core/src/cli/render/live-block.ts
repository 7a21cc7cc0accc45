import type { OutputStream } from "../output.js";

const UP_AND_CLEAR = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A\u001b[0J`);

/** Lines at the bottom of a terminal that are redrawn in place. Lines must be shorter than the terminal is wide. */
export class LiveBlock {
  readonly #stream: OutputStream;
  #lines: readonly string[] = [];

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  draw(lines: readonly string[]): void {
    if (lines.join("\n") === this.#lines.join("\n")) return;
    this.#stream.write(
      UP_AND_CLEAR(this.#lines.length) + lines.map((line) => `${line}\n`).join(""),
    );
    this.#lines = lines;
  }

  /** Lets `write` print on the same terminal: the block makes way and comes back below. */
  around(write: () => void): void {
    const lines = this.#lines;
    this.clear();
    write();
    this.draw(lines);
  }

  clear(): void {
    this.#stream.write(UP_AND_CLEAR(this.#lines.length));
    this.#lines = [];
  }
}
