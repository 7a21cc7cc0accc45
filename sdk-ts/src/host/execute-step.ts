import { Cancellation } from "../cancellation.js";
import { StepContext } from "../context.js";
import type { FfiStepEvent } from "../ffi-event.js";
import type { ExecutableHandler } from "../handler.js";
import { type LogSink, silentSink } from "../logger.js";
import type { HandlerRegistry } from "../registry.js";
import { wrapReturnValue } from "../result.js";
import { messageOf, resultOfEscapedError } from "../thrown.js";
import { encodeResult, failure } from "./encode-result.js";
import { findHandler } from "./find-handler.js";
import type { StepExecution, StepFailed } from "./outcome.js";

export interface ExecuteStepOptions {
  /** The step's deadline in milliseconds; default 300 000. */
  readonly handlerTimeoutMs?: number;
  /** Stops the step; its reason may be a {@link StepCancelledError}. */
  readonly signal?: AbortSignal;
  /** The same, without the cost of a signal nobody looks at. */
  readonly cancellation?: Cancellation;
  /** How long a cancelled handler may take to return; default 5 000. */
  readonly cancelGraceMs?: number;
  readonly log?: LogSink;
  /**
   * Told when the outcome is given while the handler still runs; the promise resolves when it has returned.
   * What it then returns is nobody's business any more.
   */
  readonly onAbandoned?: (returned: Promise<void>) => void;
}

const DEFAULT_TIMEOUT_MS = 300_000;
const DEFAULT_CANCEL_GRACE_MS = 5_000;
// `setTimeout` fires at once beyond 31 bits.
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Runs one step event against a registry. Never rejects: everything that can go wrong is an outcome.
 *
 * The deadline aborts `context.signal` and ends the attempt as `handler_timeout`, retryable, whether or not the
 * handler reacts. A cancellation aborts the signal and leaves the handler `cancelGraceMs` to return.
 */
export async function executeStep(
  event: FfiStepEvent,
  registry: HandlerRegistry,
  options: ExecuteStepOptions = {},
): Promise<StepExecution> {
  const startedAt = performance.now();
  const elapsed = (): number => Math.round(performance.now() - startedAt);
  try {
    const found = findHandler(event, registry, options.log ?? silentSink);
    const handler = found instanceof Promise ? await found : found;
    if (!("call" in handler)) return handler;
    return await new Execution(event, handler, options, elapsed).run();
  } catch (error) {
    return encodeResult(resultOfEscapedError(error), elapsed());
  }
}

/** One run of one handler, from the call to the first of: its return, its deadline, the end of its grace. */
class Execution {
  readonly #event: FfiStepEvent;
  readonly #handler: ExecutableHandler;
  readonly #options: ExecuteStepOptions;
  readonly #elapsed: () => number;
  readonly #cancellation: Cancellation;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #settle: (execution: StepExecution) => void = () => {};
  #returned: (() => void) | null = null;
  #isSettled = false;

  constructor(
    event: FfiStepEvent,
    handler: ExecutableHandler,
    options: ExecuteStepOptions,
    elapsed: () => number,
  ) {
    this.#event = event;
    this.#handler = handler;
    this.#options = options;
    this.#elapsed = elapsed;
    this.#cancellation = options.cancellation ?? new Cancellation();
  }

  run(): Promise<StepExecution> {
    const { signal } = this.#options;
    return signal === undefined ? this.#race() : this.#raceUnder(signal);
  }

  async #raceUnder(signal: AbortSignal): Promise<StepExecution> {
    const onAbort = (): void => this.#cancellation.cancel(reasonOf(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#race();
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #race(): Promise<StepExecution> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#startTimer(this.#timeoutMs, () => this.#timeOut());
      this.#cancellation.onCancel(() => this.#startGrace());
      this.#call().then(
        (returned) => this.#finish(() => this.#answer(returned)),
        (error: unknown) => this.#finish(() => this.#answerThrown(error)),
      );
    });
  }

  async #call(): Promise<unknown> {
    const context = StepContext.fromFfiEvent(this.#event, this.#handler.name, {
      cancellation: this.#cancellation,
      log: this.#options.log ?? silentSink,
    });
    return await this.#handler.call(context);
  }

  get #timeoutMs(): number {
    return Math.min(this.#options.handlerTimeoutMs ?? DEFAULT_TIMEOUT_MS, MAX_TIMER_MS);
  }

  #answer(returned: unknown): StepExecution {
    const result = wrapReturnValue(returned);
    // A success stands even after a cancellation; whether it still counts is for the lease to decide.
    if (result.success || !this.#cancellation.cancelled) {
      return encodeResult(result, this.#elapsed());
    }
    return this.#cancelled(result.errorMessage ?? "no message");
  }

  #answerThrown(error: unknown): StepExecution {
    if (this.#cancellation.cancelled) return this.#cancelled(messageOf(error));
    return encodeResult(resultOfEscapedError(error), this.#elapsed());
  }

  #finish(execution: () => StepExecution): void {
    clearTimeout(this.#timer);
    if (this.#isSettled) {
      this.#returned?.();
      return;
    }
    this.#isSettled = true;
    try {
      this.#settle(execution());
    } catch (error) {
      this.#settle(this.#unreadable(error));
    }
  }

  // A result of the user's own making may hold anything, getters that throw included.
  #unreadable(error: unknown): StepFailed {
    const message = `The result of handler "${this.#handler.name}" cannot be read: ${messageOf(error)}`;
    return failure(
      { kind: "invalid_result", errorType: "invalid_result", message, retryable: false },
      this.#elapsed(),
    );
  }

  #timeOut(): void {
    const timeoutMs = this.#timeoutMs;
    this.#abandon(
      failure(
        {
          kind: "timeout",
          errorType: "handler_timeout",
          message: `Handler execution timed out after ${timeoutMs}ms`,
          retryable: true,
        },
        this.#elapsed(),
      ),
    );
    this.#cancellation.cancel("timeout");
  }

  #startGrace(): void {
    if (this.#isSettled) return;
    const remainingMs = Math.max(0, this.#timeoutMs - this.#elapsed());
    const graceMs = Math.min(this.#options.cancelGraceMs ?? DEFAULT_CANCEL_GRACE_MS, remainingMs);
    clearTimeout(this.#timer);
    this.#startTimer(graceMs, () =>
      this.#abandon(this.#cancelled(`the handler did not return within ${graceMs} ms`)),
    );
  }

  #startTimer(delayMs: number, onTime: () => void): void {
    this.#timer = setTimeout(onTime, delayMs);
  }

  #abandon(outcome: StepFailed): void {
    this.#isSettled = true;
    const returned = new Promise<void>((resolve) => {
      this.#returned = resolve;
    });
    this.#options.onAbandoned?.(returned);
    this.#settle(outcome);
  }

  #cancelled(detail: string): StepFailed {
    const reason = this.#cancellation.reason ?? "task_cancelled";
    const name = this.#event.workflowStep.name;
    return failure(
      {
        kind: "cancelled",
        errorType: "cancelled",
        message: `Step "${name}" was asked to stop (${reason}): ${detail}`,
        retryable: true,
      },
      this.#elapsed(),
    );
  }
}

function reasonOf(signal: AbortSignal): "timeout" | "task_cancelled" | "lease_lost" | "shutdown" {
  const reason: unknown = (signal.reason as { reason?: unknown } | undefined)?.reason;
  return reason === "timeout" || reason === "lease_lost" || reason === "shutdown"
    ? reason
    : "task_cancelled";
}
