import type { HandlerRegistry } from "../registry.js";
import {
  type StepAnswers,
  StepExecutionSubscriber,
  type StepExecutionSubscriberConfig,
} from "../worker/step-execution-subscriber.js";
import { TaskerEventEmitter } from "./event-emitter.js";
import { EventPoller, type EventPollerConfig, type StepSource } from "./event-poller.js";

export interface EventSystemConfig {
  readonly poller?: EventPollerConfig;
  readonly subscriber?: StepExecutionSubscriberConfig;
}

export interface EventSystemStats {
  readonly running: boolean;
  readonly processedCount: number;
  readonly errorCount: number;
  readonly activeHandlers: number;
  readonly pollCount: number;
}

/** Poller, emitter and subscriber of one worker. */
export class EventSystem {
  readonly #emitter: TaskerEventEmitter;
  readonly #poller: EventPoller;
  readonly #subscriber: StepExecutionSubscriber;

  constructor(
    module: StepSource & StepAnswers,
    registry: HandlerRegistry,
    config: EventSystemConfig = {},
    emitter: TaskerEventEmitter = new TaskerEventEmitter(),
  ) {
    this.#emitter = emitter;
    this.#poller = new EventPoller(module, this.#emitter, config.poller);
    this.#subscriber = new StepExecutionSubscriber(
      this.#emitter,
      registry,
      module,
      config.subscriber,
    );
  }

  start(): void {
    this.#subscriber.start();
    this.#poller.start();
  }

  /** Takes nothing more and waits for what runs; false when that takes longer than `timeoutMs`. */
  async stop(timeoutMs = 30_000): Promise<boolean> {
    await this.#poller.stop();
    const isDone = await this.#subscriber.waitForCompletion(timeoutMs);
    this.#subscriber.stop();
    return isDone;
  }

  isRunning(): boolean {
    return this.#poller.isRunning();
  }

  getEmitter(): TaskerEventEmitter {
    return this.#emitter;
  }

  getStats(): EventSystemStats {
    return {
      running: this.isRunning(),
      processedCount: this.#subscriber.getProcessedCount(),
      errorCount: this.#subscriber.getErrorCount(),
      activeHandlers: this.#subscriber.getActiveHandlers(),
      pollCount: this.#poller.getPollCount(),
    };
  }
}
