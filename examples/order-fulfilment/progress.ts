const BAR_WIDTH = 30;
const REDRAW_MS = 100;

/** Shows how far the run is: one line that is drawn again on a terminal, a line per quarter elsewhere. */
export class Progress {
  readonly #total: number;
  readonly #isTerminal = process.stdout.isTTY === true;
  readonly #started = performance.now();
  #drawnAt = Number.NEGATIVE_INFINITY;
  #quarter = 0;

  constructor(total: number) {
    this.#total = total;
  }

  update(done: number): void {
    const isLast = done === this.#total;
    if (this.#isTerminal) {
      const now = performance.now();
      if (!isLast && now - this.#drawnAt < REDRAW_MS) return;
      this.#drawnAt = now;
      const filled = Math.floor((done / this.#total) * BAR_WIDTH);
      const bar = "█".repeat(filled).padEnd(BAR_WIDTH, "·");
      process.stdout.write(`\r  ${bar}  ${this.#words(done)}${isLast ? "\n" : ""}`);
      return;
    }
    const quarter = Math.floor((done / this.#total) * 4);
    if (quarter === this.#quarter) return;
    this.#quarter = quarter;
    process.stdout.write(`  ${this.#words(done)}\n`);
  }

  #words(done: number): string {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    return `${done} of ${this.#total} orders settled, ${seconds} s`;
  }
}
