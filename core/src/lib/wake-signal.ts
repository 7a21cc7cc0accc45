import { createDeferred, type Deferred } from "./deferred.js";

/**
 * "Look again": any number of `wake()` calls before the sleeper looks count as one. Setting the flag and then sleeping
 * cannot miss a wake, because a wake during the work makes the next `wait` return at once.
 */
export class WakeSignal {
  #isSet = false;
  #sleeper: Deferred<void> | undefined;

  wake(): void {
    this.#isSet = true;
    this.#sleeper?.resolve();
  }

  /** Resolves with true when woken, with false after `timeoutMs`; clears the flag. */
  async wait(timeoutMs: number): Promise<boolean> {
    if (!this.#isSet) {
      this.#sleeper = createDeferred<void>();
      const timer = setTimeout(() => this.#sleeper?.resolve(), timeoutMs);
      await this.#sleeper.promise;
      clearTimeout(timer);
      this.#sleeper = undefined;
    }
    const isWoken = this.#isSet;
    this.#isSet = false;
    return isWoken;
  }
}
