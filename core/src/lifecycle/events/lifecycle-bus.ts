import type { LifecycleError, LifecycleEvent } from "@tasker-core/sdk/host";
import type { StepDelivery, StepFailure, StepSuccess } from "../../channels/index.js";
import { messageOf } from "../../errors/index.js";
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

export interface LifecycleBusDeps {
  /** Fetches tasks that came to rest; those that are gone are absent. */
  readonly loadTasks: (taskIds: readonly bigint[]) => Promise<ReadonlyMap<bigint, EventTask>>;
  readonly limits: QueueLimits;
  readonly logger: Logger;
}

type TaskPart = Omit<LifecycleEvent, "type" | "duration" | "timestamp">;

interface Rested {
  readonly taskId: bigint;
  readonly state: string;
  readonly names: readonly string[];
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

const CREATED = ["task.started", "task.initialize_requested"];
const CLAIMED = ["step.started", "step.execution_requested"];
const SUCCEEDED = ["step.completed"];
const FAILED = ["step.failed"];
const RETRIED = ["step.retried", "step.retry_requested"];

/**
 * What happens to tasks and steps on this host, told after the commit. Events are built from what the host has at hand,
 * and only when somebody listens.
 */
export class LifecycleBus extends EventBus<LifecycleEvent> {
  readonly #deps: LifecycleBusDeps;
  #rested: Rested[] = [];
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
  }

  taskRested(taskId: bigint, state: string): void {
    if (this.isIdle) return;
    const names: readonly string[] = RESTED[state as keyof typeof RESTED] ?? [];
    if (!names.some((name) => this.wants(name))) return;
    if (this.#rested.length >= this.#deps.limits.capacity) this.counts.dropped += 1;
    else this.#rested.push({ taskId, state, names });
    this.#telling ??= this.#tellRested();
  }

  protected override get pending(): Promise<void> | null {
    return this.#telling;
  }

  /** One read at a time, for all that came to rest meanwhile: the database does not feel who listens. */
  async #tellRested(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#rested.length > 0) {
      const batch = this.#rested.splice(0, TASKS_PER_READ);
      try {
        const tasks = await this.#deps.loadTasks(batch.map(({ taskId }) => taskId));
        for (const rested of batch) this.#tellOne(rested, tasks.get(rested.taskId));
      } catch (error) {
        this.#deps.logger.warn(
          { err: error, tasks: batch.length },
          "that tasks came to rest was not told: they could not be read",
        );
      }
    }
    this.#telling = null;
  }

  #tellOne({ state, names }: Rested, task: EventTask | undefined): void {
    if (task === undefined) return;
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
