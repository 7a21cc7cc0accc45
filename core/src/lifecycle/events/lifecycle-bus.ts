import type { LifecycleError, LifecycleEvent } from "@tasker-core/sdk/host";
import type { StepDelivery, StepFailure, StepSuccess } from "../../channels/index.js";
import { messageOf } from "../../errors/index.js";
import { type JsonValue, stringifyJson } from "../../lib/json-number.js";
import type { Logger } from "../../observability/index.js";
import { EventBus } from "./event-bus.js";
import type { QueueLimits } from "./subscriber-queue.js";

/** A task as its events show it. */
export interface EventTask {
  readonly taskUuid: string;
  readonly correlationId: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly createdAt: Date;
  readonly context: Readonly<Record<string, unknown>>;
}

/** A step of a task, by its place in it. */
export interface EventStep {
  readonly step_uuid: string;
  readonly name: string;
  readonly state: string;
}

export interface LifecycleBusDeps {
  /** Fetches tasks that came to rest; those that are gone are absent. */
  readonly loadTasks: (taskIds: readonly bigint[]) => Promise<ReadonlyMap<bigint, EventTask>>;
  /** All steps of a task, in topological order. */
  readonly loadSteps: (taskId: bigint) => Promise<readonly EventStep[]>;
  readonly limits: QueueLimits;
  readonly logger: Logger;
}

type TaskPart = Omit<LifecycleEvent, "type" | "duration" | "timestamp">;

/** What will be told once its task has been read. */
interface Waiting {
  readonly taskId: bigint;
  readonly needsSteps: boolean;
  readonly tell: (task: EventTask, steps: readonly EventStep[]) => void;
}

const TASKS_PER_READ = 500;

/** First the name users know, then the finer ones of `contract/states.md`. */
const RESTED = {
  complete: ["task.completed"],
  blocked_by_failures: ["task.failed", "task.blocked_by_failures"],
  error: ["task.failed"],
  cancelled: ["task.cancelled"],
  resolved_manually: ["task.resolved_manually"],
} as const satisfies Record<string, readonly string[]>;

const CREATED = [
  "task.started",
  "task.initialize_requested",
  "task.steps_discovery_completed",
  "task.steps_enqueued",
];
const CLAIMED = ["step.started", "step.execution_requested", "step.handle"];
const PROGRESSED = ["step.progress"];
const SUCCEEDED = ["step.completed", "step.enqueued_for_orchestration"];
const FAILED = ["step.failed", "step.enqueued_as_error_for_orchestration"];
const RETRIED = [
  "step.retried",
  "step.retry_requested",
  "step.enqueued_as_error_for_orchestration",
];
const RESULT_STORED = ["task.step_results_received"];
const CANCELLED = ["step.cancelled"];

/** What an operator does to a step. */
export type StepAction = "reset" | "resolve" | "complete";

const BY_HAND = {
  reset: ["step.retried", "step.retry_requested"],
  resolve: ["step.resolved_manually"],
  complete: ["step.completed"],
} as const satisfies Record<StepAction, readonly string[]>;

/**
 * What happens to tasks and steps on this host, told after the commit. Events are built from what the host has at hand,
 * and only when somebody listens.
 */
export class LifecycleBus extends EventBus<LifecycleEvent> {
  readonly #deps: LifecycleBusDeps;
  #waiting: Waiting[] = [];
  #telling: Promise<void> | null = null;

  constructor(deps: LifecycleBusDeps) {
    super(deps.limits, deps.logger);
    this.#deps = deps;
  }

  taskCreated(task: () => Omit<EventTask, "createdAt">): void {
    this.#tell(CREATED, () => ({ ...taskPart(task()), duration: null }));
  }

  /** Leased to this host; its handler runs when it has a free slot. */
  stepClaimed(delivery: StepDelivery): void {
    this.#tell(CLAIMED, () => ({ ...stepPart(delivery), duration: null }));
  }

  /** A running handler said how far it is. Not stored: it is of interest while it happens. */
  stepProgressed(delivery: StepDelivery, progress: number): void {
    this.#tell(PROGRESSED, () => ({ ...stepPart(delivery), progress, duration: null }));
  }

  /** @param willRetry of a failure: whether the step has an attempt left */
  stepEnded(delivery: StepDelivery, outcome: StepSuccess | StepFailure, willRetry: boolean): void {
    if (this.isIdle) return;
    const duration = outcome.executionMs;
    if (outcome.outcome === "success") {
      this.#tell(SUCCEEDED, () => {
        const result: unknown = JSON.parse(Buffer.from(outcome.value).toString("utf8"));
        return { ...stepPart(delivery), result, duration };
      });
    } else {
      const { message, errorType, retryable } = outcome;
      const error: LifecycleError = { message, error_type: errorType, retryable };
      this.#tell(willRetry ? RETRIED : FAILED, () => ({ ...stepPart(delivery), error, duration }));
    }
    this.#tell(RESULT_STORED, () => ({
      ...stepPart(delivery),
      step_name: null,
      duration: null,
    }));
  }

  taskRested(taskId: bigint, state: string): void {
    if (this.isIdle) return;
    const names: readonly string[] = RESTED[state as keyof typeof RESTED] ?? [];
    this.#later(names, {
      taskId,
      needsSteps: false,
      tell: (task) => this.#tellRest(state, names, task),
    });
  }

  /** An operator has ended a task: the steps that this cancelled come first. */
  taskClosed(taskId: bigint, state: string): void {
    if (this.wants("step.cancelled")) {
      const tell = (task: EventTask, steps: readonly EventStep[]): void => {
        for (const step of steps.filter((one) => one.state === "cancelled")) {
          this.#tell(CANCELLED, () => actedOn(task, step));
        }
      };
      this.#later(CANCELLED, { taskId, needsSteps: true, tell });
    }
    this.taskRested(taskId, state);
  }

  /**
   * An operator is about to act on a step. What there is to say is read now, so that nothing of what follows is told first.
   * @returns to be called once it is done, with what `complete` gave the step. Never rejects.
   */
  async aboutToActOn(
    taskId: bigint,
    stepUuid: string,
    action: StepAction,
  ): Promise<(result?: JsonValue) => void> {
    const names = BY_HAND[action];
    if (!names.some((name) => this.wants(name))) return () => undefined;
    try {
      await this.#telling;
      const task = (await this.#deps.loadTasks([taskId])).get(taskId);
      const steps = await this.#deps.loadSteps(taskId);
      const step = steps.find((one) => one.step_uuid === stepUuid);
      if (task === undefined || step === undefined) return () => undefined;
      return (result) =>
        this.#tell(names, () => ({ ...actedOn(task, step), ...givenResult(result) }));
    } catch (error) {
      this.#warnUnread(error, 1);
      return () => undefined;
    }
  }

  #later(names: readonly string[], waiting: Waiting): void {
    if (!names.some((name) => this.wants(name))) return;
    if (this.#waiting.length >= this.#deps.limits.capacity) this.counts.dropped += 1;
    else this.#waiting.push(waiting);
    this.#telling ??= this.#tellWaiting();
  }

  protected override get pending(): Promise<void> | null {
    return this.#telling;
  }

  /** One read at a time, for all that happened meanwhile: the database does not feel who listens. */
  async #tellWaiting(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, TASKS_PER_READ);
      try {
        const tasks = await this.#deps.loadTasks(batch.map(({ taskId }) => taskId));
        for (const { taskId, needsSteps, tell } of batch) {
          const task = tasks.get(taskId);
          if (task === undefined) continue;
          // Only operators' actions need them, and those are rare.
          tell(task, needsSteps ? await this.#deps.loadSteps(taskId) : []);
        }
      } catch (error) {
        this.#warnUnread(error, batch.length);
      }
    }
    this.#telling = null;
  }

  #warnUnread(error: unknown, tasks: number): void {
    const message = "what happened to tasks was not told: they could not be read";
    this.#deps.logger.warn({ err: error, tasks }, message);
  }

  #tellRest(state: string, names: readonly string[], task: EventTask): void {
    const duration = Math.max(0, Date.now() - task.createdAt.getTime());
    const error: LifecycleError = {
      message: `The task came to rest in ${state}`,
      error_type: state,
      retryable: false,
    };
    const isFailure = names[0] === "task.failed";
    this.#tell(names, () => ({ ...taskPart(task), ...(isFailure ? { error } : {}), duration }));
  }

  #tell(names: readonly string[], build: () => Omit<LifecycleEvent, "type" | "timestamp">): void {
    if (this.isIdle) return;
    const wanted = names.filter((name) => this.wants(name));
    if (wanted.length === 0) return;
    try {
      const event = { ...build(), timestamp: new Date().toISOString() };
      for (const type of wanted) this.publish(type, { ...event, type });
    } catch (error) {
      const why = messageOf(error);
      this.#deps.logger.warn({ err: error }, `${wanted.join(", ")} could not be built: ${why}`);
    }
  }
}

function taskPart(task: Omit<EventTask, "createdAt">): TaskPart {
  return {
    task_id: task.taskUuid,
    step_name: null,
    namespace: task.namespace,
    task_name: task.name,
    version: task.version,
    context: task.context,
    correlation_id: task.correlationId,
  };
}

function givenResult(result: JsonValue | undefined): { readonly result?: unknown } {
  return result === undefined ? {} : { result: JSON.parse(stringifyJson(result)) as unknown };
}

function actedOn(task: EventTask, { name }: EventStep): Omit<LifecycleEvent, "type" | "timestamp"> {
  return { ...taskPart(task), step_name: name, duration: null };
}

function stepPart(delivery: StepDelivery): TaskPart {
  // Parsed for in-process handlers anyway; for others on first use.
  const { task } = delivery.payload.value();
  return {
    task_id: delivery.taskUuid,
    step_name: delivery.stepName,
    namespace: task.namespace_name,
    task_name: task.task_name,
    version: task.task_version,
    context: (task.task["context"] ?? {}) as Record<string, unknown>,
    correlation_id: delivery.correlationId,
  };
}
