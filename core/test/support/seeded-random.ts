/** A small generator (mulberry32), so that a failing run can be repeated from its seed. */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env["TEST_SEED"] ?? Date.now() % 2 ** 31)) {
    this.seed = seed;
    this.#state = seed;
  }

  /** An integer from 0 up to, not including, `below`. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Damages bytes: flipped bits, lost tail, doubled or foreign pieces. */
export function mutate(random: SeededRandom, original: Uint8Array): Buffer {
  let bytes = Buffer.from(original);
  for (let changes = 1 + random.below(3); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length);
    switch (random.below(5)) {
      case 0:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(at + 1))]);
        break;
      case 3:
        bytes[at] = random.below(256);
        break;
      default:
        bytes = Buffer.concat([
          bytes,
          Buffer.from(Array.from({ length: random.below(20) }, () => random.below(256))),
        ]);
    }
  }
  return bytes;
}
