import type { FfiModule } from "../ffi/module.js";
import type { PollerMetrics, TaskerEventEmitter } from "./event-emitter.js";
import { EventNames } from "./event-names.js";

export interface EventPollerConfig {
  /** Between looks at a module that does not say when something arrives; default 10. */
  readonly pollIntervalMs?: number;
  /** Looks between checks for a module that gives nothing although it says it has; default 100. */
  readonly starvationCheckInterval?: number;
  /** Kept for existing configurations: there is nothing to clean up. */
  readonly cleanupInterval?: number;
  /** Looks between `metrics.updated`; default 100. */
  readonly metricsInterval?: number;
}

export type PollerState = "stopped" | "running";

const STARVING_MS = 10_000;

/** What the poller needs of a module. */
export type StepSource = Pick<FfiModule, "pollStepEvents"> & Partial<Pick<FfiModule, "onArrival">>;

/**
 * Takes step events from a module and emits them as `step.execution.received`. A module with `onArrival` is asked when
 * it has something; another one every `pollIntervalMs`.
 */
export class EventPoller {
  readonly #module: StepSource;
  readonly #emitter: TaskerEventEmitter;
  readonly #config: Required<EventPollerConfig>;
  #pollCount = 0;
  #stepEvents = 0;
  #lastEventAtMs = 0;
  #timer: ReturnType<typeof setInterval> | null = null;
  #unsubscribe: (() => void) | null = null;
  #isRunning = false;

  constructor(module: StepSource, emitter: TaskerEventEmitter, config: EventPollerConfig = {}) {
    this.#module = module;
    this.#emitter = emitter;
    this.#config = {
      pollIntervalMs: 10,
      starvationCheckInterval: 100,
      cleanupInterval: 1000,
      metricsInterval: 100,
      ...config,
    };
  }

  get metrics(): PollerMetrics {
    const active = this.#emitter.listenerCount(EventNames.STEP_EXECUTION_RECEIVED);
    return { pollCount: this.#pollCount, stepEvents: this.#stepEvents, active };
  }

  getState(): PollerState {
    return this.#isRunning ? "running" : "stopped";
  }

  isRunning(): boolean {
    return this.#isRunning;
  }

  getPollCount(): number {
    return this.#pollCount;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#lastEventAtMs = Date.now();
    this.#emitter.emit(EventNames.POLLER_STARTED, {});
    if (this.#module.onArrival === undefined) {
      this.#timer = setInterval(() => this.poll(), this.#config.pollIntervalMs);
    } else {
      this.#unsubscribe = this.#module.onArrival(() => this.poll());
    }
    this.poll();
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#emitter.emit(EventNames.POLLER_STOPPED, { pollCount: this.#pollCount });
  }

  /** Takes everything there is; how many events it was. */
  poll(): number {
    if (!this.#isRunning) return 0;
    this.#pollCount++;
    let taken = 0;
    try {
      for (;;) {
        const event = this.#module.pollStepEvents();
        if (event === null) break;
        taken++;
        this.#emitter.emit(EventNames.STEP_EXECUTION_RECEIVED, { event });
      }
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#emitter.emit(EventNames.POLLER_ERROR, { error });
    }
    this.#stepEvents += taken;
    if (taken > 0) this.#lastEventAtMs = Date.now();
    this.#tell(taken);
    return taken;
  }

  #tell(eventsProcessed: number): void {
    const { starvationCheckInterval, metricsInterval } = this.#config;
    this.#emitter.emit(EventNames.POLLER_CYCLE_COMPLETE, { eventsProcessed });
    if (this.#pollCount % metricsInterval === 0) {
      this.#emitter.emit(EventNames.METRICS_UPDATED, { metrics: this.metrics });
    }
    if (this.#pollCount % starvationCheckInterval === 0) {
      const waitingMs = Date.now() - this.#lastEventAtMs;
      if (waitingMs > STARVING_MS) {
        this.#emitter.emit(EventNames.POLLER_STARVATION_DETECTED, { waitingMs });
      }
    }
  }
}

export function createEventPoller(
  module: StepSource,
  emitter: TaskerEventEmitter,
  config?: EventPollerConfig,
): EventPoller {
  return new EventPoller(module, emitter, config);
}
