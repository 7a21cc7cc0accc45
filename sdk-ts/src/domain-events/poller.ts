import { randomUUID } from "node:crypto";
import { matchesEvent } from "../event-pattern.js";
import type { FfiModule } from "../ffi/module.js";
import type { FfiStepEvent } from "../ffi-event.js";
import {
  type DomainEvent,
  type DomainEventEnvelope,
  type DomainEventMetadata,
  type StepEventContext,
  type StepResult,
  toDomainEvent,
} from "./types.js";

export type DomainEventCallback = (event: DomainEvent) => void | Promise<void>;
export type DomainEventErrorCallback = (error: Error) => void;
/** The next event, or null: never waits. */
export type DomainEventPollFunction = () => DomainEvent | null;

export interface DomainEventPollerConfig {
  /** Default 10. */
  readonly pollIntervalMs?: number;
  /** Default 100. */
  readonly maxEventsPerPoll?: number;
}

export interface PollerStats {
  readonly totalPolls: number;
  readonly eventsDispatched: number;
  readonly errors: number;
  readonly subscriptionCount: number;
}

export interface SubscriberStats {
  readonly count: number;
  readonly active: number;
  readonly patterns: readonly string[];
}

interface Subscription {
  readonly pattern: string;
  readonly callback: DomainEventCallback;
}

/**
 * For programs that would rather ask for domain events than be told. Subscribers of handler files need no poller: the
 * worker hands them their events.
 */
export class InProcessDomainEventPoller {
  readonly #intervalMs: number;
  readonly #maxEvents: number;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #onError: DomainEventErrorCallback[] = [];
  #poll: DomainEventPollFunction | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #isPolling = false;
  #polls = 0;
  #dispatched = 0;
  #errors = 0;

  constructor(config: DomainEventPollerConfig = {}) {
    this.#intervalMs = config.pollIntervalMs ?? 10;
    this.#maxEvents = config.maxEventsPerPoll ?? 100;
  }

  setPollFunction(poll: DomainEventPollFunction): void {
    this.#poll = poll;
  }

  /**
   * `*` stands for any characters.
   * @returns the id for {@link unsubscribe}
   */
  subscribe(pattern: string, callback: DomainEventCallback): string;
  subscribe(patterns: readonly string[], callback: DomainEventCallback): () => void;
  subscribe(
    patterns: string | readonly string[],
    callback: DomainEventCallback,
  ): string | (() => void) {
    const ids = [patterns].flat().map((pattern) => {
      const id = randomUUID();
      this.#subscriptions.set(id, { pattern, callback });
      return id;
    });
    if (typeof patterns === "string") return ids[0]!;
    return () => {
      for (const id of ids) this.unsubscribe(id);
    };
  }

  unsubscribe(id: string): boolean {
    return this.#subscriptions.delete(id);
  }

  /** What callbacks and the poll function throw. */
  onError(callback: DomainEventErrorCallback): void {
    this.#onError.push(callback);
  }

  /** @throws Error without a poll function */
  start(): void {
    if (this.#poll === null)
      throw new Error("The poller has nothing to ask: setPollFunction first");
    this.#timer ??= setInterval(() => void this.#turn(), this.#intervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  get isRunning(): boolean {
    return this.#timer !== null;
  }

  get stats(): PollerStats {
    return {
      totalPolls: this.#polls,
      eventsDispatched: this.#dispatched,
      errors: this.#errors,
      subscriptionCount: this.#subscriptions.size,
    };
  }

  async #turn(): Promise<void> {
    if (this.#isPolling) return; // a callback takes longer than the interval
    this.#isPolling = true;
    this.#polls++;
    try {
      for (let taken = 0; taken < this.#maxEvents; taken++) {
        const event = this.#poll?.() ?? null;
        if (event === null) break;
        await this.#dispatch(event);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isPolling = false;
    }
  }

  async #dispatch(event: DomainEvent): Promise<void> {
    for (const { pattern, callback } of [...this.#subscriptions.values()]) {
      if (!matchesEvent(pattern, event.eventName)) continue;
      try {
        await callback(event);
        this.#dispatched++;
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #fail(cause: unknown): void {
    this.#errors++;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    for (const callback of this.#onError) callback(error);
  }
}

/** What {@link InProcessDomainEventPoller.setPollFunction} takes, from a worker's module. */
export function createFfiPollAdapter(
  module: Pick<FfiModule, "pollInProcessEvents">,
): DomainEventPollFunction {
  return () => {
    const envelope = module.pollInProcessEvents();
    return envelope === null ? null : ffiEventToDomainEvent(envelope);
  };
}

export function ffiEventToDomainEvent(envelope: DomainEventEnvelope): DomainEvent {
  return toDomainEvent(envelope);
}

export interface DomainEventParts {
  readonly eventName: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly metadata: Omit<DomainEventMetadata, "firedAt"> & { readonly firedAt?: string };
  readonly executionResult: StepResult;
  /** Default: random. */
  readonly eventId?: string;
}

/** An event as subscribers get it, for tests of subscribers. */
export function createDomainEvent(parts: DomainEventParts): DomainEvent {
  const inner = parts.payload["payload"];
  const isEnvelope =
    typeof inner === "object" && inner !== null && "execution_result" in parts.payload;
  return {
    eventId: parts.eventId ?? randomUUID(),
    eventName: parts.eventName,
    payload: parts.payload,
    businessPayload: isEnvelope ? (inner as Readonly<Record<string, unknown>>) : parts.payload,
    metadata: {
      ...parts.metadata,
      firedAt: parts.metadata.firedAt ?? new Date().toISOString(),
    } as DomainEventMetadata,
    executionResult: parts.executionResult,
  };
}

/** What publishers are told about the step, from its event and its result. */
export function createStepEventContext(
  event: FfiStepEvent,
  result: StepResult = { success: true },
): StepEventContext {
  return {
    taskUuid: event.taskUuid,
    stepUuid: event.stepUuid,
    stepName: event.workflowStep.name,
    namespace: event.task.namespace,
    correlationId: event.correlationId,
    result: result.result ?? {},
    metadata: result.metadata ?? {},
  };
}
