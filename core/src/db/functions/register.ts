import type { Queryable } from "../pool.js";

export interface RegisteredTemplateIds {
  readonly templateId: number;
  readonly namespaceId: number;
  /** False when this content was registered before. */
  readonly created: boolean;
}

/** `tasker_core.register_template`. `payload` is described there; `uuids` has one entry per step and two more. */
export async function registerTemplate(
  db: Queryable,
  payload: string,
  uuids: readonly string[],
): Promise<RegisteredTemplateIds> {
  const { rows } = await db.query<{ template_id: number; namespace_id: number; created: boolean }>(
    "select template_id, namespace_id, created from tasker_core.register_template($1, $2)",
    [payload, uuids],
  );
  const row = rows[0];
  if (row === undefined) throw new Error("tasker_core.register_template returned no row");
  return { templateId: row.template_id, namespaceId: row.namespace_id, created: row.created };
}

/** `tasker_core.create_domain_event_queue`. */
export async function createDomainEventQueue(db: Queryable, namespace: string): Promise<void> {
  await db.query("select tasker_core.create_domain_event_queue($1)", [namespace]);
}

export interface WorkerIdentity {
  readonly workerUuid: string;
  readonly name: string;
  readonly hostname: string;
  readonly pid: number;
}

/** `tasker_core.register_worker`: the worker's short id and the callables' ids in the order given. */
export async function registerWorker(
  db: Queryable,
  worker: WorkerIdentity,
  callables: readonly string[],
): Promise<{ workerId: number; callableIds: number[] }> {
  const { rows } = await db.query<{ worker_id: number; callable_ids: number[] }>(
    "select worker_id, callable_ids from tasker_core.register_worker($1, $2, $3, $4, $5)",
    [worker.workerUuid, worker.name, worker.hostname, worker.pid, callables],
  );
  const row = rows[0];
  if (row === undefined) throw new Error("tasker_core.register_worker returned no row");
  return { workerId: row.worker_id, callableIds: row.callable_ids };
}

/** `tasker_core.stop_worker`: it serves nothing any more. */
export async function stopWorker(db: Queryable, workerId: number): Promise<void> {
  await db.query("select tasker_core.stop_worker($1)", [workerId]);
}
