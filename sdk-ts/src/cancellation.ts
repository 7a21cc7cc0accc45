import { hasBrand, STEP_CANCELLED } from "./brand.js";

/** Why a running handler is asked to stop. */
export type CancelReason = "timeout" | "task_cancelled" | "lease_lost" | "shutdown";

/**
 * The reason of an aborted `context.signal`; its `reason` says who asked. The host makes it, with its own copy of this
 * package: `instanceof` knows it in every copy.
 */
export class StepCancelledError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasBrand(value, STEP_CANCELLED);
  }

  readonly reason: CancelReason;

  constructor(reason: CancelReason) {
    super(`The step was asked to stop: ${reason}`);
    this.name = "StepCancelledError";
    this.reason = reason;
  }

  get [STEP_CANCELLED](): true {
    return true;
  }
}

/**
 * One step's stop request. An `AbortSignal` costs microseconds to make and few handlers look at it, so it is
 * made on first use.
 */
export class Cancellation {
  #reason: CancelReason | null = null;
  #controller: AbortController | null = null;
  #listener: ((reason: CancelReason) => void) | null = null;

  get reason(): CancelReason | null {
    return this.#reason;
  }

  get cancelled(): boolean {
    return this.#reason !== null;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(new StepCancelledError(this.#reason));
    }
    return this.#controller.signal;
  }

  /** The first reason stands; later calls change nothing. */
  cancel(reason: CancelReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#controller?.abort(new StepCancelledError(reason));
    this.#listener?.(reason);
  }

  /** Called once, on the first cancellation. One listener: whoever runs the step. */
  onCancel(listener: (reason: CancelReason) => void): void {
    this.#listener = listener;
    if (this.#reason !== null) listener(this.#reason);
  }
}
