import { complain } from "../stderr.js";
import { messageOf } from "../thrown.js";

type ShutdownHandler = () => void | Promise<void>;

/** Turns a signal, or a call, into one orderly end. */
export class ShutdownController {
  #handlers: ShutdownHandler[] = [];
  #signal: string | null = null;
  #resolve: (signal: string) => void = () => {};
  #promise: Promise<string>;

  constructor() {
    this.#promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Settles with the first signal. */
  get promise(): Promise<string> {
    return this.#promise;
  }

  get isRequested(): boolean {
    return this.#signal !== null;
  }

  /** What asked for it; null before. */
  get signal(): string | null {
    return this.#signal;
  }

  onShutdown(handler: ShutdownHandler): void {
    this.#handlers.push(handler);
  }

  /** The first one counts. */
  trigger(signal: string): void {
    if (this.#signal !== null) return;
    this.#signal = signal;
    this.#resolve(signal);
  }

  /** Runs the handlers in the order they were added; one that throws does not keep the others from running. */
  async executeHandlers(): Promise<void> {
    for (const handler of this.#handlers) {
      try {
        await handler();
      } catch (error) {
        complain(`A shutdown handler failed: ${messageOf(error)}`);
      }
    }
  }

  reset(): void {
    this.#handlers = [];
    this.#signal = null;
    this.#promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
