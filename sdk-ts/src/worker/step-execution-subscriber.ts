import type { TaskerEventEmitter, TaskerEventMap } from "../events/event-emitter.js";
import { EventNames } from "../events/event-names.js";
import type { FfiModule } from "../ffi/module.js";
import type { FfiStepEvent } from "../ffi-event.js";
import { executeStep } from "../host/execute-step.js";
import type { StepExecution } from "../host/outcome.js";
import type { HandlerRegistry } from "../registry.js";

export interface StepExecutionSubscriberConfig {
  readonly workerId?: string;
  /** Handlers at once, those included that still run after their deadline; default 10. More steps wait. */
  readonly maxConcurrent?: number;
  /** The longest a step may take, whatever its template allows; default 300 000. */
  readonly handlerTimeoutMs?: number;
}

/** What the subscriber needs of a module. */
export type StepAnswers = Pick<FfiModule, "completeStepEvent"> &
  Partial<Pick<FfiModule, "stepControl">>;

/** Runs the steps that an emitter announces and gives their answers to the module. */
export class StepExecutionSubscriber {
  readonly #emitter: TaskerEventEmitter;
  readonly #registry: HandlerRegistry;
  readonly #module: StepAnswers;
  readonly #maxConcurrent: number;
  readonly #handlerTimeoutMs: number;
  readonly #waiting: FfiStepEvent[] = [];
  readonly #onReceived: (payload: TaskerEventMap["step.execution.received"]) => void;
  readonly workerId: string;
  #isRunning = false;
  #active = 0;
  #processed = 0;
  #errors = 0;
  #onIdle: (() => void)[] = [];

  constructor(
    emitter: TaskerEventEmitter,
    registry: HandlerRegistry,
    module: StepAnswers,
    config: StepExecutionSubscriberConfig = {},
  ) {
    this.#emitter = emitter;
    this.#registry = registry;
    this.#module = module;
    this.workerId = config.workerId ?? "typescript-worker";
    this.#maxConcurrent = config.maxConcurrent ?? 10;
    this.#handlerTimeoutMs = config.handlerTimeoutMs ?? 300_000;
    this.#onReceived = ({ event }) => {
      this.#waiting.push(event);
      this.#pump();
    };
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#emitter.on(EventNames.STEP_EXECUTION_RECEIVED, this.#onReceived);
    this.#pump();
  }

  /** Takes no more steps. What runs goes on; see {@link waitForCompletion}. */
  stop(): void {
    this.#isRunning = false;
    this.#emitter.off(EventNames.STEP_EXECUTION_RECEIVED, this.#onReceived);
  }

  isRunning(): boolean {
    return this.#isRunning;
  }

  getProcessedCount(): number {
    return this.#processed;
  }

  getErrorCount(): number {
    return this.#errors;
  }

  getActiveHandlers(): number {
    return this.#active;
  }

  /** False when handlers still run after `timeoutMs`. */
  async waitForCompletion(timeoutMs = 30_000): Promise<boolean> {
    if (this.#active === 0 && this.#waiting.length === 0) return true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const idle = new Promise<true>((resolve) => this.#onIdle.push(() => resolve(true)));
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const isDone = await Promise.race([idle, late]);
    clearTimeout(timer);
    return isDone;
  }

  #pump(): void {
    while (this.#isRunning && this.#active < this.#maxConcurrent) {
      const event = this.#waiting.shift();
      if (event === undefined) break;
      void this.#run(event); // Never rejects; its end frees the slot.
    }
    if (this.#active === 0 && this.#waiting.length === 0) {
      for (const done of this.#onIdle.splice(0)) done();
    }
  }

  async #run(event: FfiStepEvent): Promise<void> {
    this.#active++;
    const about = aboutStep(event);
    const control = this.#module.stepControl?.(event.eventId) ?? null;
    let returned: Promise<void> | null = null;
    this.#emitter.emit(EventNames.STEP_EXECUTION_STARTED, about);
    const timeoutMs = Math.min(this.#handlerTimeoutMs, control?.timeoutMs ?? Infinity);
    const execution = await executeStep(event, this.#registry, {
      handlerTimeoutMs: timeoutMs,
      onAbandoned: (promise) => {
        returned = promise;
      },
      ...(control === null ? {} : { cancellation: control.cancellation, log: control.log }),
    });
    const isTaken = this.#module.completeStepEvent(event.eventId, execution);
    this.#processed++;
    if (execution.outcome === "failure") this.#errors++;
    this.#tell(event, execution, timeoutMs, isTaken);
    if (returned !== null) await returned;
    this.#active--;
    this.#pump();
  }

  #tell(event: FfiStepEvent, execution: StepExecution, timeoutMs: number, isTaken: boolean): void {
    const about = aboutStep(event);
    const ended = { ...about, executionTimeMs: execution.executionMs, execution };
    if (execution.outcome === "failure") {
      const error = new Error(execution.message);
      this.#emitter.emit(EventNames.STEP_EXECUTION_FAILED, { ...ended, error });
      if (execution.kind === "timeout") {
        this.#emitter.emit(EventNames.STEP_EXECUTION_TIMEOUT, { ...about, timeoutMs });
      }
    } else this.#emitter.emit(EventNames.STEP_EXECUTION_COMPLETED, ended);
    if (!isTaken) return;
    if (execution.outcome === "checkpoint") {
      const { itemsProcessed } = execution;
      this.#emitter.emit(EventNames.STEP_CHECKPOINT_YIELD_SENT, { ...about, itemsProcessed });
    } else {
      const success = execution.outcome === "success";
      this.#emitter.emit(EventNames.STEP_COMPLETION_SENT, { ...about, success });
    }
  }
}

function aboutStep(event: FfiStepEvent) {
  return {
    eventId: event.eventId,
    stepUuid: event.stepUuid,
    taskUuid: event.taskUuid,
    handlerName: event.stepDefinition.handlerCallable,
  };
}
