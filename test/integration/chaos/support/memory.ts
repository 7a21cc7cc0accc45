import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What this process holds on to, sampled over a run. */
export class MemoryLog {
  readonly #samples: { readonly liveKb: number; readonly rssKb: number }[] = [];

  /** Takes a full garbage collection, some ten milliseconds. */
  sample(): void {
    collectGarbage();
    const { heapUsed, external, rss } = process.memoryUsage();
    this.#samples.push({ liveKb: (heapUsed + external) / 1024, rssKb: rss / 1024 });
  }

  /** Growth from the middle of the second quarter to that of the last: caches have filled before. */
  growthKb(): { readonly live: number; readonly rss: number } {
    const quarter = Math.floor(this.#samples.length / 4);
    const early = this.#samples.slice(quarter, 2 * quarter);
    const late = this.#samples.slice(-quarter);
    const growth = (of: "liveKb" | "rssKb"): number =>
      Math.round(middle(late.map((one) => one[of])) - middle(early.map((one) => one[of])));
    return { live: growth("liveKb"), rss: growth("rssKb") };
  }
}

export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
