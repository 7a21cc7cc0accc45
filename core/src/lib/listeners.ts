/** A set of functions to call; the caller of `add` keeps the function that takes its own out again. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: Args) => void>();

  add(listener: (...args: Args) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  notify(...args: Args): void {
    for (const listener of this.#listeners) listener(...args);
  }
}
