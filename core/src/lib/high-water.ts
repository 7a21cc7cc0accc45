/** How full something bounded has been: ever, and since somebody last asked. */
export class HighWater {
  #ever = 0;
  #recent = 0;

  get ever(): number {
    return this.#ever;
  }

  record(size: number): void {
    if (size > this.#recent) this.#recent = size;
    if (size > this.#ever) this.#ever = size;
  }

  /** The most since the last call. */
  takeRecent(): number {
    const recent = this.#recent;
    this.#recent = 0;
    return recent;
  }
}
