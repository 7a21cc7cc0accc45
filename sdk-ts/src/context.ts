import { Cancellation } from "./cancellation.js";
import type { FfiStepEvent } from "./ffi-event.js";
import { type LogSink, loggerFor, type StepLogger, silentSink } from "./logger.js";

export interface StepContextParams {
  readonly event: FfiStepEvent;
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly correlationId: string;
  readonly handlerName: string;
  readonly inputData: Record<string, unknown>;
  /** Name to stored result of every ancestor step, raw; see {@link StepContext.getDependencyResult}. */
  readonly dependencyResults: Readonly<Record<string, unknown>>;
  readonly stepConfig: Record<string, unknown>;
  readonly stepInputs: Record<string, unknown>;
  readonly retryCount: number;
  readonly maxRetries: number;
}

/** What the process that runs the step lends to the context. */
export interface StepRuntime {
  readonly cancellation: Cancellation;
  readonly log: LogSink;
}

/** Everything a handler may know about the step it runs. All values are shared: read, do not change. */
export class StepContext {
  readonly event: FfiStepEvent;
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly correlationId: string;
  readonly handlerName: string;
  /** The task's context, as given when the task was created. */
  readonly inputData: Record<string, unknown>;
  readonly dependencyResults: Readonly<Record<string, unknown>>;
  /** The template's `handler.initialization`. */
  readonly stepConfig: Record<string, unknown>;
  readonly stepInputs: Record<string, unknown>;
  /** 0 on the first run. */
  readonly retryCount: number;
  readonly maxRetries: number;
  readonly #runtime: StepRuntime;
  #logger: StepLogger | null = null;

  constructor(params: StepContextParams, runtime?: StepRuntime) {
    this.event = params.event;
    this.taskUuid = params.taskUuid;
    this.stepUuid = params.stepUuid;
    this.correlationId = params.correlationId;
    this.handlerName = params.handlerName;
    this.inputData = params.inputData;
    this.dependencyResults = params.dependencyResults;
    this.stepConfig = params.stepConfig;
    this.stepInputs = params.stepInputs;
    this.retryCount = params.retryCount;
    this.maxRetries = params.maxRetries;
    this.#runtime = runtime ?? { cancellation: new Cancellation(), log: silentSink };
  }

  static fromFfiEvent(
    event: FfiStepEvent,
    handlerName: string,
    runtime?: StepRuntime,
  ): StepContext {
    return new StepContext(
      {
        event,
        taskUuid: event.taskUuid,
        stepUuid: event.stepUuid,
        correlationId: event.correlationId,
        handlerName,
        inputData: event.task.context,
        dependencyResults: event.dependencyResults,
        stepConfig: event.stepDefinition.handlerInitialization,
        stepInputs: event.workflowStep.inputs ?? {},
        retryCount: event.workflowStep.attempts ?? 0,
        maxRetries: event.workflowStep.maxAttempts ?? 3,
      },
      runtime,
    );
  }

  /** 1 on the first run. */
  get attempt(): number {
    return this.retryCount + 1;
  }

  /**
   * The same for every attempt of this step and different for every other step: give it to a payment provider
   * or an outbox, and a step that runs twice has its effect once.
   */
  get idempotencyKey(): string {
    return this.stepUuid;
  }

  /** Aborts when the step should stop: deadline passed, task cancelled, lease lost, or shutdown. */
  get signal(): AbortSignal {
    return this.#runtime.cancellation.signal;
  }

  get cancelled(): boolean {
    return this.#runtime.cancellation.cancelled;
  }

  /** Records carry the task, step and correlation ids. */
  get logger(): StepLogger {
    this.#logger ??= loggerFor(this.#runtime.log, {
      task_uuid: this.taskUuid,
      step_uuid: this.stepUuid,
      step_name: this.event.workflowStep.name,
      correlation_id: this.correlationId,
      handler: this.handlerName,
      attempt: this.attempt,
    });
    return this.#logger;
  }

  /** The result of an ancestor step, without its envelope; null when there is none. */
  getDependencyResult<T = unknown>(stepName: string): T | null {
    if (!Object.hasOwn(this.dependencyResults, stepName)) return null;
    const stored = this.dependencyResults[stepName];
    const unwrapped =
      isObject(stored) && Object.hasOwn(stored, "result") ? stored["result"] : stored;
    return (unwrapped ?? null) as T | null;
  }

  /** A value inside an ancestor's result; null when the way there ends early. */
  getDependencyField<T = unknown>(stepName: string, ...path: string[]): T | null {
    let value: unknown = this.getDependencyResult(stepName);
    for (const key of path) {
      if (!isObject(value) || !Object.hasOwn(value, key)) return null;
      value = value[key];
    }
    return (value ?? null) as T | null;
  }

  getDependencyResultKeys(): string[] {
    return Object.keys(this.dependencyResults);
  }

  /** Results of all ancestors whose names start with `prefix`, such as the workers of a batch. */
  getAllDependencyResults<T = unknown>(prefix: string): T[] {
    const results: T[] = [];
    for (const name of Object.keys(this.dependencyResults)) {
      if (!name.startsWith(prefix)) continue;
      const result = this.getDependencyResult<T>(name);
      if (result !== null) results.push(result);
    }
    return results;
  }

  /** A key of the task's context; undefined when it is missing. */
  getInput<T = unknown>(key: string): T | undefined {
    return ownValue(this.inputData, key) as T | undefined;
  }

  /** The default stands in for a missing key only; a null that was given stays null. */
  getInputOr<T>(key: string, defaultValue: T): T {
    const value = this.getInput<T>(key);
    return value === undefined ? defaultValue : value;
  }

  getConfig<T = unknown>(key: string): T | undefined {
    return ownValue(this.stepConfig, key) as T | undefined;
  }

  isRetry(): boolean {
    return this.retryCount > 0;
  }

  isLastRetry(): boolean {
    return this.retryCount >= this.maxRetries - 1;
  }

  /** What the last `checkpointYield` of this step stored; null before the first. */
  get checkpoint(): Record<string, unknown> | null {
    return this.event.workflowStep.checkpoint;
  }

  get checkpointCursor(): unknown {
    return this.checkpoint?.["cursor"] ?? null;
  }

  get checkpointItemsProcessed(): number {
    const count = this.checkpoint?.["items_processed"];
    return typeof count === "number" ? count : 0;
  }

  get accumulatedResults(): Record<string, unknown> | null {
    const results = this.checkpoint?.["accumulated_results"];
    return isObject(results) ? results : null;
  }

  hasCheckpoint(): boolean {
    return this.checkpointCursor !== null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function ownValue(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
