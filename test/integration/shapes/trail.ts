import type { Pool } from "../../../core/src/db/index.js";
import type { StepEnd } from "./shape.js";

interface StoredResult {
  readonly result: unknown;
  readonly error: { readonly error_type: string | null; readonly message: string } | null;
  readonly metadata: { readonly error_code?: string | null };
}

/** How a task and its steps ended, as the database tells it. */
export interface TaskEnd {
  readonly trail: readonly string[];
  readonly steps: Readonly<Record<string, StepEnd>>;
}

/** Every task of the database, by uuid. */
export async function taskEnds(db: Pool): Promise<Map<string, TaskEnd>> {
  const { rows: tasks } = await db.query<{ task_uuid: string; trail: string[] }>(
    `select task_uuid, array_agg(to_state order by sort_key) as trail
     from tasker.task_transitions group by task_uuid`,
  );
  const { rows } = await db.query<{
    task_uuid: string;
    name: string;
    state: string;
    attempts: number;
    results: string | null;
    trail: string[];
  }>(
    `with trails as (
       select workflow_step_uuid, array_agg(to_state order by sort_key) as trail
       from tasker.workflow_step_transitions group by workflow_step_uuid)
     select s.task_uuid, s.name, s.state, s.attempts, s.results, t.trail
     from tasker.workflow_steps s join trails t using (workflow_step_uuid) order by s.step_id`,
  );
  const steps = new Map<string, Record<string, StepEnd>>();
  for (const { task_uuid, name, state, attempts, results, trail } of rows) {
    const stored: StoredResult | null = results === null ? null : JSON.parse(results);
    const error = stored?.error ?? null;
    const ofTask = steps.get(task_uuid) ?? {};
    ofTask[name] = {
      state,
      attempts,
      result: stored?.result ?? null,
      error:
        error === null
          ? null
          : {
              type: error.error_type,
              message: error.message,
              code: stored?.metadata.error_code ?? null,
            },
      trail,
    };
    steps.set(task_uuid, ofTask);
  }
  return new Map(
    tasks.map(({ task_uuid, trail }) => [task_uuid, { trail, steps: steps.get(task_uuid) ?? {} }]),
  );
}

export async function stepUuid(db: Pool, taskUuid: string, name: string): Promise<string> {
  const { rows } = await db.query<{ uuid: string }>(
    "select workflow_step_uuid as uuid from tasker.workflow_steps where task_uuid = $1 and name = $2",
    [taskUuid, name],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`Task ${taskUuid} has no step ${name}`);
  return row.uuid;
}
