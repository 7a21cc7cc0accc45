/** Of the last so many yes-or-no observations, the share that was yes. */
export class RecentShare {
  readonly #ring: Uint8Array;
  #count = 0;
  #at = 0;
  #yes = 0;

  constructor(size: number) {
    this.#ring = new Uint8Array(size);
  }

  add(isYes: boolean): void {
    this.#yes += Number(isYes) - (this.#ring[this.#at] ?? 0);
    this.#ring[this.#at] = Number(isYes);
    this.#at = (this.#at + 1) % this.#ring.length;
    if (this.#count < this.#ring.length) this.#count++;
  }

  /** 0 to 1; null before the first. */
  get share(): number | null {
    return this.#count === 0 ? null : this.#yes / this.#count;
  }
}
