import { type ClientStatement, tapDriver } from "./driver-tap.js";

/** What a statement does, in a word: the function it calls, else its first words. */
export function nameOf({ text }: ClientStatement): string {
  return /tasker_core\.(\w+)\s*\(/.exec(text)?.[1] ?? text.trim().slice(0, 40);
}

/** Counts the statements that this process sends, by name, from now until {@link StatementCounter.stop}. */
export class StatementCounter {
  readonly counts = new Map<string, number>();
  readonly #untap: () => void;

  /** @param counts which statements belong to what is measured; default all */
  constructor(counts: (statement: ClientStatement) => boolean = () => true) {
    this.#untap = tapDriver((statement) => {
      if (counts(statement)) {
        const name = nameOf(statement);
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      }
      return undefined;
    });
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Takes the tap out of the driver again. */
  stop(): void {
    this.#untap();
  }
}
