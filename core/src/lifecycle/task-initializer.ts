import {
  createTasks,
  type LoadedTask,
  loadTasks,
  type NewTask,
  type Routes,
  type TickOutcome,
} from "../db/functions/index.js";
import type { PumpLink } from "../db/index.js";
import { StateError } from "../errors/index.js";
import type { Deferred } from "../lib/deferred.js";
import type { RuntimeTemplate } from "./runtime-template.js";

export interface CreatedTask {
  readonly taskId: bigint;
  readonly taskUuid: string;
}

/** A task to create and whoever waits for it. */
export interface TaskCreation {
  readonly task: NewTask;
  readonly template: RuntimeTemplate;
  readonly reply: Deferred<CreatedTask>;
}

export interface TaskInitializerDeps {
  readonly link: PumpLink;
  /** Room for first steps in this host; none in a process that runs no steps. */
  readonly pools: {
    reserve(wanted: number, share: number): Routes;
    giveBack(routes: Routes): void;
  };
  readonly cache: { keepTask(task: LoadedTask): void };
  readonly workerId: number;
  readonly leaseMs: number;
  /** Namespaces whose workers wait for the first steps; null where this host runs steps itself. */
  readonly wake: () => readonly number[] | null;
  /** Takes the first steps that came back leased; calls `done` when they are in their channels. */
  readonly accept: (outcome: TickOutcome, done: () => void) => void;
  /** Called after the commit, before the first steps are handed on. */
  readonly onCreated: (creation: TaskCreation, taskId: bigint) => void;
}

/** Creates tasks, a batch in one commit. Their first steps come back leased as far as there is room. */
export class TaskInitializer {
  readonly #deps: TaskInitializerDeps;

  constructor(deps: TaskInitializerDeps) {
    this.#deps = deps;
  }

  /** Settles the reply of every creation: with its ids, or `TASK_DUPLICATE` naming the task that exists. */
  async create(creations: readonly TaskCreation[]): Promise<void> {
    const { link, pools, workerId, leaseMs, accept, wake } = this.#deps;
    const routes = pools.reserve(creations.length * 4, 0.5);
    let outcome: TickOutcome;
    try {
      const tasks = creations.map((creation) => creation.task);
      outcome = await link.call((db) => createTasks(db, workerId, tasks, routes, leaseMs, wake()));
    } catch (error) {
      pools.giveBack(routes);
      for (const { reply } of creations) reply.reject(error);
      return;
    }
    this.#remember(creations, outcome);
    for (const { position, taskId } of outcome.created) {
      const creation = creations[position];
      if (creation !== undefined) this.#deps.onCreated(creation, taskId);
    }
    accept(outcome, () => pools.giveBack(routes));
    for (const { position, taskId } of outcome.created) {
      const creation = creations[position];
      creation?.reply.resolve({ taskId, taskUuid: creation.task.taskUuid });
    }
    if (outcome.duplicates.length > 0) await this.#answerDuplicates(creations, outcome);
  }

  /** Saves the first steps a read: everything about a new task is known here. */
  #remember(creations: readonly TaskCreation[], outcome: TickOutcome): void {
    const createdAt = new Map(outcome.claims.map((claim) => [claim.taskId, claim.createdAt]));
    for (const { position, taskId } of outcome.created) {
      const creation = creations[position];
      const at = createdAt.get(taskId);
      if (creation === undefined || at === undefined) continue;
      const { task, template } = creation;
      this.#deps.cache.keepTask({
        task_id: taskId,
        task_uuid: task.taskUuid,
        template_id: template.templateId,
        named_task_uuid: template.namedTaskUuid,
        correlation_id: task.correlationId,
        parent_correlation_id: task.parentCorrelationId,
        priority: task.priority,
        requested_at: at,
        created_at: at,
        initiator: task.initiator,
        source_system: task.sourceSystem,
        reason: task.reason,
        tags: Buffer.from(task.tags).toString("utf8"),
        context: Buffer.from(task.context).toString("utf8"),
        identity_hash: task.identityHash,
        data_epoch: 0,
      });
    }
  }

  async #answerDuplicates(creations: readonly TaskCreation[], outcome: TickOutcome): Promise<void> {
    const ids = outcome.duplicates.map((duplicate) => duplicate.taskId);
    const existing = await this.#deps.link.call((db) => loadTasks(db, ids));
    const uuids = new Map(existing.map((task) => [task.task_id, task.task_uuid]));
    for (const { position, taskId } of outcome.duplicates) {
      const creation = creations[position];
      const taskUuid = uuids.get(taskId);
      if (creation === undefined) continue;
      // Its own twin: the call was repeated after a lost reply, and the first had been committed.
      if (taskUuid === creation.task.taskUuid) {
        this.#deps.onCreated(creation, taskId);
        creation.reply.resolve({ taskId, taskUuid });
      } else creation.reply.reject(duplicateError(creation, taskUuid));
    }
  }
}

function duplicateError({ template }: TaskCreation, taskUuid: string | undefined): StateError {
  return new StateError(
    "TASK_DUPLICATE",
    `A task of \`${template.namespace}/${template.name}\` ${template.version} with the same identity exists: ${taskUuid ?? "unknown"}. Give another idempotency_key to run it again`,
    taskUuid === undefined ? {} : { context: { taskUuid } },
  );
}
