import { randomUUID } from "node:crypto";
import { FfiLayer } from "../ffi/ffi-layer.js";
import { pause, send, TaskerClientError } from "./http.js";
import type {
  HealthResponse,
  StepAuditResponse,
  StepResponse,
  TaskListResponse,
  TaskResponse,
} from "./responses.js";
import { type ClientSettings, type ResolvedSettings, resolveSettings } from "./settings.js";

export interface CreateTaskOptions {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly context?: Readonly<Record<string, unknown>>;
  /** Default `1.0.0`. */
  readonly version?: string;
  readonly initiator?: string;
  readonly sourceSystem?: string;
  readonly reason?: string;
  readonly tags?: readonly string[];
  /** -100 to 100. */
  readonly priority?: number;
  /** Default: random. */
  readonly correlationId?: string;
  readonly parentCorrelationId?: string;
  /** A request with it is sent again after a failure: the server makes one task of it. */
  readonly idempotencyKey?: string;
}

export interface ListTasksOptions {
  /** Default 50; at most 100. */
  readonly limit?: number;
  /** A multiple of `limit`. Default 0. */
  readonly offset?: number;
  readonly namespace?: string;
  readonly status?: string;
}

export interface WaitOptions {
  /** Default 60 000. */
  readonly timeoutMs?: number;
  /** Between looks; default 250. */
  readonly pollIntervalMs?: number;
  readonly signal?: AbortSignal;
}

const FINAL = new Set(["complete", "error", "cancelled", "resolved_manually"]);

/** Talks to a server over its REST API. */
export class TaskerClient {
  readonly #settings: ResolvedSettings;

  /** @param from settings, or the layer that existing programs pass: then the environment names the server. */
  constructor(from: FfiLayer | ClientSettings = {}) {
    this.#settings = resolveSettings(from instanceof FfiLayer ? {} : from, process.env);
  }

  /**
   * Creates a task. Without `idempotencyKey` it is sent once.
   * @throws TaskerClientError
   */
  async createTask(options: CreateTaskOptions): Promise<TaskResponse> {
    const { idempotencyKey } = options;
    const correlationId = options.correlationId ?? randomUUID();
    try {
      return await send(this.#settings, {
        operation: "createTask",
        method: "POST",
        path: "/v1/tasks",
        isRepeatable: idempotencyKey !== undefined,
        body: requestBody(options, correlationId),
      });
    } catch (error) {
      const isConflict = error instanceof TaskerClientError && error.statusCode === 409;
      if (!isConflict || idempotencyKey === undefined) throw error;
      // The answer to a request of ours may have been lost: then the task is there, with our correlation id.
      const recent = await this.listTasks({ namespace: options.namespace ?? "default" });
      const own = recent.tasks.find(({ correlation_id: id }) => id === correlationId);
      if (own === undefined) throw error;
      return await this.getTask(own.task_uuid);
    }
  }

  async getTask(taskUuid: string): Promise<TaskResponse> {
    return await this.#get("getTask", `/v1/tasks/${encodeURIComponent(taskUuid)}`);
  }

  async listTasks(options: ListTasksOptions = {}): Promise<TaskListResponse> {
    const { limit = 50, offset = 0, namespace, status } = options;
    return await this.#get("listTasks", "/v1/tasks", {
      page: Math.floor(offset / limit) + 1,
      per_page: limit,
      namespace,
      status,
    });
  }

  async cancelTask(taskUuid: string): Promise<TaskResponse> {
    return await send(this.#settings, {
      operation: "cancelTask",
      method: "DELETE",
      path: `/v1/tasks/${encodeURIComponent(taskUuid)}`,
      isRepeatable: false, // the second would be told that the task is cancelled already
    });
  }

  async listTaskSteps(taskUuid: string): Promise<readonly StepResponse[]> {
    return await this.#get("listTaskSteps", stepsOf(taskUuid));
  }

  async getStep(taskUuid: string, stepUuid: string): Promise<StepResponse> {
    return await this.#get("getStep", `${stepsOf(taskUuid)}/${encodeURIComponent(stepUuid)}`);
  }

  async getStepAuditHistory(
    taskUuid: string,
    stepUuid: string,
  ): Promise<readonly StepAuditResponse[]> {
    const step = `${stepsOf(taskUuid)}/${encodeURIComponent(stepUuid)}`;
    return await this.#get("getStepAuditHistory", `${step}/audit`);
  }

  async healthCheck(): Promise<HealthResponse> {
    return await this.#get("healthCheck", "/health");
  }

  /**
   * Waits until the task has ended, whether well or not.
   * @throws TaskerClientError, recoverable, when it has not ended after `timeoutMs`
   */
  async waitForCompletion(taskUuid: string, options: WaitOptions = {}): Promise<TaskResponse> {
    const { timeoutMs = 60_000, pollIntervalMs = 250, signal } = options;
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      const task = await this.getTask(taskUuid);
      if (FINAL.has(task.status)) return task;
      if (Date.now() + pollIntervalMs > deadlineMs) {
        throw new TaskerClientError(
          `Task ${taskUuid} (${task.namespace}/${task.name}) is still ${task.status} after ${timeoutMs} ms: ${task.completed_steps} of ${task.total_steps} steps are complete`,
          true,
        );
      }
      await pause(pollIntervalMs, signal);
    }
  }

  async #get<T>(
    operation: string,
    path: string,
    query?: Readonly<Record<string, string | number | undefined>>,
  ): Promise<T> {
    return await send<T>(this.#settings, {
      operation,
      method: "GET",
      path,
      isRepeatable: true,
      ...(query === undefined ? {} : { query }),
    });
  }
}

/** A client of the server that the environment names. */
export function getTaskerClient(from?: FfiLayer | ClientSettings): TaskerClient {
  return new TaskerClient(from);
}

function requestBody(options: CreateTaskOptions, correlationId: string): Record<string, unknown> {
  const { idempotencyKey } = options;
  return {
    name: options.name,
    namespace: options.namespace ?? "default",
    version: options.version ?? "1.0.0",
    context: options.context ?? {},
    initiator: options.initiator ?? "tasker-core-typescript",
    source_system: options.sourceSystem ?? "tasker-core",
    reason: options.reason ?? "Task requested",
    tags: options.tags ?? [],
    requested_at: new Date().toISOString().replace("Z", ""),
    options: null,
    priority: options.priority ?? null,
    correlation_id: correlationId,
    parent_correlation_id: options.parentCorrelationId ?? null,
    ...(idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey }),
  };
}

function stepsOf(taskUuid: string): string {
  return `/v1/tasks/${encodeURIComponent(taskUuid)}/workflow_steps`;
}
