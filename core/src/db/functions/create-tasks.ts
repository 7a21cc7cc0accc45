import type { Queryable } from "../pool.js";
import { interval, packBodies, type Routes } from "./routes.js";
import { readTickRows, type TickOutcome } from "./tick-row.js";

export interface NewTask {
  readonly taskUuid: string;
  readonly templateId: number;
  readonly identityHash: string;
  readonly correlationId: string;
  readonly parentCorrelationId: string | null;
  readonly priority: number;
  readonly initiator: string;
  readonly sourceSystem: string;
  readonly reason: string;
  /** JSON text of the task's context, kept as written. */
  readonly context: Uint8Array;
  /** JSON text of an array of strings. */
  readonly tags: Uint8Array;
}

const CREATE = `select * from tasker_core.create_tasks(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`;

/**
 * `tasker_core.create_tasks`: tasks with their steps, first steps sent, in one commit. Positions are indexes into `tasks`.
 * @param wake namespaces whose sleeping workers the commit wakes; null for a host that runs steps itself
 */
export async function createTasks(
  db: Queryable,
  workerId: number,
  tasks: readonly NewTask[],
  routes: Routes,
  leaseMs: number,
  wake: readonly number[] | null = null,
): Promise<TickOutcome> {
  const { bytes, ends } = packBodies(tasks.flatMap((task) => [task.context, task.tags]));
  return readTickRows(
    await db.prepared("create_tasks", CREATE, [
      workerId,
      tasks.map((task) => task.taskUuid),
      tasks.map((task) => task.templateId),
      tasks.map((task) => task.identityHash),
      tasks.map((task) => task.correlationId),
      tasks.map((task) => task.parentCorrelationId),
      tasks.map((task) => task.priority),
      tasks.map((task) => task.initiator),
      tasks.map((task) => task.sourceSystem),
      tasks.map((task) => task.reason),
      bytes,
      ends,
      routes.callableIds,
      routes.pools,
      routes.free,
      routes.waitingClass,
      interval(leaseMs),
      wake,
    ]),
  );
}
