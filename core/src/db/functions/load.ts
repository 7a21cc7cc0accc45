import type { Queryable } from "../pool.js";

/** What step events say of a task. Bodies are JSON text as accepted. */
export interface LoadedTask {
  readonly task_id: bigint;
  readonly task_uuid: string;
  readonly template_id: number;
  readonly named_task_uuid: string;
  readonly correlation_id: string;
  readonly parent_correlation_id: string | null;
  readonly priority: number;
  readonly requested_at: Date;
  readonly created_at: Date;
  readonly initiator: string;
  readonly source_system: string;
  readonly reason: string;
  readonly tags: string;
  readonly context: string;
  readonly identity_hash: string;
  readonly data_epoch: number;
}

export async function loadTasks(db: Queryable, ids: readonly bigint[]): Promise<LoadedTask[]> {
  const { rows } = await db.prepared<LoadedTask>(
    "load_tasks",
    "select * from tasker_core.load_tasks($1)",
    [ids.map(String)],
  );
  return rows;
}

/** Accepted results, by step: JSON text of the whole step execution result. Steps without one are absent. */
export async function loadResults(
  db: Queryable,
  stepIds: readonly bigint[],
): Promise<Map<bigint, string>> {
  const { rows } = await db.prepared<{ step_id: bigint; body: string }>(
    "load_results",
    "select step_id, body from tasker_core.load_results($1)",
    [stepIds.map(String)],
  );
  return new Map(rows.map((row) => [row.step_id, row.body]));
}

export interface LoadedTemplate {
  readonly template_id: number;
  readonly namespace_id: number;
  readonly named_task_uuid: string;
  readonly compiled: string;
  readonly named_step_uuids: string[];
}

export async function loadTemplates(
  db: Queryable,
  ids: readonly number[],
): Promise<LoadedTemplate[]> {
  const { rows } = await db.query<LoadedTemplate>("select * from tasker_core.load_templates($1)", [
    ids,
  ]);
  return rows;
}

/** Names and inputs of steps made at run time; both null for steps of the template. */
export async function loadDynamicSteps(
  db: Queryable,
  stepIds: readonly bigint[],
): Promise<Map<bigint, { readonly name: string | null; readonly inputs: string | null }>> {
  const { rows } = await db.prepared<{
    step_id: bigint;
    name: string | null;
    inputs: string | null;
  }>("load_dynamic_steps", "select * from tasker_core.load_dynamic_steps($1)", [
    stepIds.map(String),
  ]);
  return new Map(rows.map((row) => [row.step_id, row]));
}

export interface DynamicAncestor {
  readonly stepId: bigint;
  readonly ancestorId: bigint;
  /** Null for a step that has its template step's name. */
  readonly name: string | null;
}

/** Whom steps made at run time come after, up to the first steps that existed from the start. */
export async function loadDynamicAncestors(
  db: Queryable,
  stepIds: readonly bigint[],
): Promise<DynamicAncestor[]> {
  const { rows } = await db.prepared<{ step_id: bigint; ancestor_id: bigint; name: string | null }>(
    "load_dynamic_ancestors",
    "select * from tasker_core.load_dynamic_ancestors($1)",
    [stepIds.map(String)],
  );
  return rows.map((row) => ({ stepId: row.step_id, ancestorId: row.ancestor_id, name: row.name }));
}
