import { EventEmitter } from "node:events";
import type { FfiStepEvent } from "../ffi-event.js";
import type { StepExecution } from "../host/outcome.js";
import { complain } from "../stderr.js";
import { messageOf } from "../thrown.js";

/** Every payload has the moment it was made. */
interface Stamped {
  readonly timestamp: Date;
}

export interface StepOccurrence extends Stamped {
  readonly eventId: string;
  readonly stepUuid: string;
  readonly taskUuid: string;
  readonly handlerName: string;
}

export interface StepEnded extends StepOccurrence {
  readonly executionTimeMs: number;
  readonly execution: StepExecution;
}

export interface PollerMetrics {
  /** Looks at the module, whether they found something or not. */
  readonly pollCount: number;
  readonly stepEvents: number;
  readonly active: number;
}

/** Event name to payload. */
export interface TaskerEventMap {
  "step.execution.received": Stamped & { readonly event: FfiStepEvent };
  "step.execution.started": StepOccurrence;
  "step.execution.completed": StepEnded;
  "step.execution.failed": StepEnded & { readonly error: Error };
  "step.execution.timeout": StepOccurrence & { readonly timeoutMs: number };
  "step.completion.sent": StepOccurrence & { readonly success: boolean };
  "step.checkpoint_yield.sent": StepOccurrence & { readonly itemsProcessed: number };
  "worker.started": Stamped & { readonly workerId: string };
  "worker.ready": Stamped & { readonly workerId: string };
  "worker.shutdown.started": Stamped & { readonly workerId: string };
  "worker.stopped": Stamped & { readonly workerId: string };
  "worker.error": Stamped & { readonly error: Error };
  "poller.started": Stamped;
  "poller.stopped": Stamped & { readonly pollCount: number };
  "poller.cycle.complete": Stamped & { readonly eventsProcessed: number };
  "poller.starvation.detected": Stamped & { readonly waitingMs: number };
  "poller.error": Stamped & { readonly error: Error };
  "metrics.updated": Stamped & { readonly metrics: PollerMetrics };
  "metrics.error": Stamped & { readonly error: Error };
}

type Listener<Name extends keyof TaskerEventMap> = (payload: TaskerEventMap[Name]) => void;

/** Tells a program what its worker does. What a listener throws is reported on standard error and changes nothing. */
export class TaskerEventEmitter {
  readonly #emitter = new EventEmitter({ captureRejections: false }).setMaxListeners(0);

  on<Name extends keyof TaskerEventMap>(name: Name, listener: Listener<Name>): this {
    this.#emitter.on(name, listener);
    return this;
  }

  once<Name extends keyof TaskerEventMap>(name: Name, listener: Listener<Name>): this {
    this.#emitter.once(name, listener);
    return this;
  }

  off<Name extends keyof TaskerEventMap>(name: Name, listener: Listener<Name>): this {
    this.#emitter.off(name, listener);
    return this;
  }

  /** True when somebody listens. `timestamp` is added. */
  emit<Name extends keyof TaskerEventMap>(
    name: Name,
    payload: Omit<TaskerEventMap[Name], "timestamp">,
  ): boolean {
    if (this.#emitter.listenerCount(name) === 0) return false;
    const stamped = { ...payload, timestamp: new Date() };
    for (const listener of this.#emitter.rawListeners(name)) {
      try {
        listener.call(this.#emitter, stamped);
      } catch (error) {
        complain(`A listener of ${name} failed: ${messageOf(error)}`);
      }
    }
    return true;
  }

  listenerCount(name: keyof TaskerEventMap): number {
    return this.#emitter.listenerCount(name);
  }

  removeAllListeners(name?: keyof TaskerEventMap): this {
    // Node tells an absent argument from an undefined one.
    if (name === undefined) this.#emitter.removeAllListeners();
    else this.#emitter.removeAllListeners(name);
    return this;
  }
}
