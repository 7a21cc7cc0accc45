import { LRUCache } from "lru-cache";
import { type LoadedTask, loadCheckpoints, loadResults, loadTasks } from "../db/functions/index.js";
import type { Queryable } from "../db/index.js";
import type { RuntimeTemplate } from "../lifecycle/runtime-template.js";

/** A task as step events show it: the parts that do not change, as JSON text. */
export interface CachedTask {
  readonly taskUuid: string;
  readonly templateId: number;
  readonly correlationId: string;
  readonly parentCorrelationId: string | null;
  readonly dataEpoch: number;
  /** The `task` member of a TaskSequenceStep. */
  readonly json: string;
}

export interface TaskCacheOptions {
  readonly db: Queryable;
  /** Bytes of task contexts and of step results to keep, each. */
  readonly maxBytes: number;
  readonly templateOf: (templateId: number) => RuntimeTemplate | undefined;
}

/**
 * Tasks and accepted results of the steps that this host is working on, bounded in bytes. A result is kept under its
 * step and the task's data epoch, so one that was replaced by hand is never served from here.
 */
export class TaskCache {
  readonly #db: Queryable;
  readonly #templateOf: TaskCacheOptions["templateOf"];
  readonly #tasks: LRUCache<bigint, CachedTask>;
  readonly #results: LRUCache<string, string>;

  constructor(options: TaskCacheOptions) {
    this.#db = options.db;
    this.#templateOf = options.templateOf;
    this.#tasks = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (task) => task.json.length + 200,
    });
    this.#results = new LRUCache({
      maxSize: options.maxBytes,
      sizeCalculation: (body, key) => body.length + key.length,
    });
  }

  task(taskId: bigint): CachedTask | undefined {
    return this.#tasks.get(taskId);
  }

  result(stepId: bigint, epoch: number): string | undefined {
    return this.#results.get(`${stepId}:${epoch}`);
  }

  /** Remembers a result that this host has just stored. */
  keepResult(stepId: bigint, epoch: number, body: string): void {
    this.#results.set(`${stepId}:${epoch}`, body);
  }

  /** Fetches the tasks that are not known yet. */
  async loadTasks(taskIds: Iterable<bigint>): Promise<void> {
    const missing = [...new Set(taskIds)].filter((id) => !this.#tasks.has(id));
    if (missing.length === 0) return;
    for (const row of await loadTasks(this.#db, missing)) {
      this.#tasks.set(row.task_id, this.#cachedTask(row));
    }
  }

  /** Remembers a task that this host has just created. */
  keepTask(row: LoadedTask): void {
    this.#tasks.set(row.task_id, this.#cachedTask(row));
  }

  /** What a claim says of the task's results: newer than what was known when the task was read, if it differs. */
  noteEpoch(taskId: bigint, dataEpoch: number): void {
    const task = this.#tasks.get(taskId);
    if (task !== undefined && task.dataEpoch < dataEpoch) {
      this.#tasks.set(taskId, { ...task, dataEpoch });
    }
  }

  async loadResults(steps: readonly { stepId: bigint; epoch: number }[]): Promise<void> {
    if (steps.length === 0) return;
    const epochs = new Map(steps.map((step) => [step.stepId, step.epoch]));
    const bodies = await loadResults(this.#db, [...epochs.keys()]);
    for (const [stepId, body] of bodies) this.keepResult(stepId, epochs.get(stepId) ?? 0, body);
  }

  /** Stored progress of steps, by step id; not kept, every yield changes it. */
  async loadCheckpoints(stepIds: readonly bigint[]): Promise<ReadonlyMap<bigint, string>> {
    return stepIds.length === 0 ? new Map() : await loadCheckpoints(this.#db, stepIds);
  }

  #cachedTask(row: LoadedTask): CachedTask {
    const template = this.#templateOf(row.template_id);
    const task = {
      task_uuid: row.task_uuid,
      named_task_uuid: row.named_task_uuid,
      complete: false,
      requested_at: naiveTime(row.requested_at),
      initiator: row.initiator,
      source_system: row.source_system,
      reason: row.reason,
      identity_hash: row.identity_hash,
      priority: row.priority,
      created_at: naiveTime(row.created_at),
      updated_at: naiveTime(row.created_at),
      correlation_id: row.correlation_id,
      parent_correlation_id: row.parent_correlation_id,
    };
    const inner = `${JSON.stringify(task).slice(0, -1)},"tags":${row.tags},"context":${row.context}}`;
    const names = {
      task_name: template?.name ?? null,
      task_version: template?.version ?? null,
      namespace_name: template?.namespace ?? null,
    };
    return {
      taskUuid: row.task_uuid,
      templateId: row.template_id,
      correlationId: row.correlation_id,
      parentCorrelationId: row.parent_correlation_id,
      dataEpoch: row.data_epoch,
      json: `{"task":${inner},${JSON.stringify(names).slice(1)}`,
    };
  }
}

/** `2026-01-02T03:04:05.678000`: UTC without a zone, microseconds, as the contract writes it. */
export function naiveTime(date: Date): string {
  return `${date.toISOString().slice(0, -1)}000`;
}
