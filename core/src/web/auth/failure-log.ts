import type { Logger } from "../../observability/index.js";

const WINDOW_MS = 60_000;
const PER_WINDOW = 20;

/** Refused credentials in the log, at most so many a minute: an attack must not fill the disk. */
export class FailureLog {
  readonly #logger: Logger;
  readonly #now: () => number;
  #windowStart = Number.NEGATIVE_INFINITY;
  #written = 0;
  #suppressed = 0;

  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** @param fields without any credential */
  write(fields: Readonly<Record<string, unknown>>, message: string): void {
    if (this.#now() - this.#windowStart >= WINDOW_MS) this.#openWindow();
    if (this.#written >= PER_WINDOW) {
      this.#suppressed++;
      return;
    }
    this.#written++;
    this.#logger.warn(fields, message);
  }

  #openWindow(): void {
    if (this.#suppressed > 0) {
      const suppressed = this.#suppressed;
      this.#logger.warn({ suppressed }, "more requests were refused than are logged");
    }
    this.#windowStart = this.#now();
    this.#written = 0;
    this.#suppressed = 0;
  }
}
