import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  type IBreaker,
} from "cockatiel";

export type CircuitStateName = "closed" | "half_open" | "open";

export interface CircuitBreakerOptions {
  readonly name: string;
  /** Failures in a row that open it. */
  readonly failureThreshold: number;
  /** Successes in a row that close it once it is half-open. */
  readonly successThreshold: number;
  /** How long an open circuit refuses before it lets one call through to see. */
  readonly timeoutMs: number;
  /** A call counts as a failure each time it has been silent for this long. Default: silence does not count. */
  readonly silentMs?: number;
  /** Whether an error blames what the circuit leads to, rather than the call. */
  readonly isFailure: (error: unknown) => boolean;
  /** What callers get while it is open. */
  readonly refusal: (retryInMs: number) => Error;
  readonly onChange?: (state: CircuitStateName) => void;
}

/**
 * Keeps callers from waiting for something that does not answer: after failures in a row it refuses at once, after a while it
 * lets one call through, and after successes in a row it is as before. What is refused is the caller's to try again.
 */
export class CircuitBreaker {
  readonly name: string;
  readonly #options: CircuitBreakerOptions;
  readonly #policy: CircuitBreakerPolicy;
  readonly #evidence: Evidence;
  #openedAt = 0;
  #hasLife = false;
  #reported: CircuitStateName = "closed";
  readonly #counts = { opened: 0, refused: 0 };

  constructor(options: CircuitBreakerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#evidence = new Evidence(options.failureThreshold, options.successThreshold);
    this.#policy = circuitBreaker(
      handleWhen((error) => error instanceof Silence || options.isFailure(error)),
      {
        breaker: this.#evidence,
        halfOpenAfter: this.#patience(),
      },
    );
    this.#policy.onBreak(() => {
      this.#openedAt = Date.now();
      this.#hasLife = false;
      this.#counts.opened += 1;
      this.#report();
    });
    this.#policy.onHalfOpen(() => this.#report());
    this.#policy.onReset(() => this.#report());
  }

  get state(): CircuitStateName {
    if (this.#policy.state === CircuitState.Open) return "open";
    if (this.#policy.state === CircuitState.HalfOpen) return "half_open";
    return this.#evidence.isOnProbation ? "half_open" : "closed";
  }

  /** Whether a call now would be refused: it is open and not yet time to try, or a first try is under way. */
  get isRefusing(): boolean {
    return this.#policy.state === CircuitState.HalfOpen || this.#retryInMs > 0;
  }

  get counts(): Readonly<Record<"opened" | "refused", number>> {
    return this.#counts;
  }

  /** Throws the refusal if a call now would be refused, and counts it. */
  assertPassable(): void {
    if (!this.isRefusing) return;
    this.#counts.refused += 1;
    throw this.#options.refusal(this.#retryInMs);
  }

  /** Runs `work` unless the circuit is open: then throws the refusal. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.assertPassable();
    const isProbe = this.#policy.state === CircuitState.Open;
    try {
      return await this.#policy.execute(() => (isProbe ? this.#probed(work) : this.#watched(work)));
    } catch (error) {
      if (!(error instanceof Silence)) throw error;
      this.#counts.refused += 1;
      throw this.#options.refusal(this.#retryInMs);
    } finally {
      this.#report();
    }
  }

  /**
   * For whoever has to keep trying, at a pace of its own: runs `work` even while the circuit is open, and to its end. Its
   * success ends the waiting of the others early.
   */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    if (this.#policy.state === CircuitState.Closed) return await this.run(work);
    const result = await work();
    this.#sawLife();
    if (!this.isRefusing) await this.run(async () => undefined);
    return result;
  }

  get #retryInMs(): number {
    if (this.#policy.state !== CircuitState.Open || this.#hasLife) return 0;
    return Math.max(0, this.#openedAt + this.#options.timeoutMs - Date.now());
  }

  async #watched<T>(work: () => Promise<T>): Promise<T> {
    const { silentMs } = this.#options;
    if (silentMs === undefined) return await work();
    const timer = setInterval(() => this.#silent(), silentMs);
    timer.unref();
    try {
      const result = await work();
      this.#sawLife(); // it may have opened meanwhile
      return result;
    } finally {
      clearInterval(timer);
    }
  }

  /** A probe without an answer must not keep the circuit half-open for ever: what it asked goes on, unwatched. */
  async #probed<T>(work: () => Promise<T>): Promise<T> {
    const { silentMs } = this.#options;
    if (silentMs === undefined) return await work();
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Silence()), silentMs);
      timer.unref();
    });
    const running = work();
    running.then(
      () => this.#sawLife(),
      () => undefined, // seen below, or of no interest any more
    );
    try {
      return await Promise.race([running, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  #sawLife(): void {
    if (this.#policy.state === CircuitState.Open) this.#hasLife = true;
  }

  #silent(): void {
    if (this.#policy.state !== CircuitState.Closed) return;
    const silence = new Silence();
    this.#policy.execute(() => Promise.reject(silence)).catch(() => undefined); // counted; nobody waits for it
  }

  /** Read anew each time it is asked, unlike a number: a sign of life ends it. */
  #patience() {
    const duration = (): number => (this.#hasLife ? 0 : this.#options.timeoutMs);
    const backoff: IBackoff<unknown> & { next(): typeof backoff } = {
      get duration() {
        return duration();
      },
      next: () => backoff,
    };
    return backoff;
  }

  #report(): void {
    const { state } = this;
    if (state === this.#reported) return;
    this.#reported = state;
    this.#options.onChange?.(state);
  }
}

class Silence extends Error {}

/** Counts for the library, which by itself closes a circuit after one success. */
class Evidence implements IBreaker {
  state: unknown = null;
  readonly #failureThreshold: number;
  readonly #successThreshold: number;
  #failures = 0;
  /** Successes that are still wanted; one failure meanwhile opens the circuit again. */
  #wanted = 0;

  constructor(failureThreshold: number, successThreshold: number) {
    this.#failureThreshold = failureThreshold;
    this.#successThreshold = successThreshold;
  }

  get isOnProbation(): boolean {
    return this.#wanted > 0;
  }

  success(state: CircuitState): void {
    this.#failures = 0;
    if (state === CircuitState.HalfOpen) this.#wanted = this.#successThreshold - 1;
    else if (this.#wanted > 0) this.#wanted -= 1;
  }

  failure(state: CircuitState): boolean {
    this.#failures += 1;
    const isTooMany =
      state === CircuitState.HalfOpen ||
      this.#wanted > 0 ||
      this.#failures >= this.#failureThreshold;
    if (isTooMany) {
      this.#failures = 0;
      this.#wanted = 0;
    }
    return isTooMany;
  }
}
