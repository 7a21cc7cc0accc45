import type { Pool } from "../../../core/src/db/index.js";
import type { StepEnd } from "./shape.js";

interface StoredResult {
  readonly result: unknown;
  readonly error: { readonly error_type: string | null; readonly message: string } | null;
}

/** How the steps of a task ended, by name, as the database tells it. */
export async function stepEnds(db: Pool, taskUuid: string): Promise<Record<string, StepEnd>> {
  const { rows } = await db.query<{
    name: string;
    state: string;
    attempts: number;
    results: string | null;
    trail: string[];
  }>(
    `select s.name, s.state, s.attempts, s.results, t.trail from tasker.workflow_steps s
     join lateral (select array_agg(to_state order by sort_key) as trail
       from tasker.workflow_step_transitions t where t.workflow_step_uuid = s.workflow_step_uuid) t on true
     where s.task_uuid = $1 order by s.step_id`,
    [taskUuid],
  );
  return Object.fromEntries(
    rows.map(({ name, state, attempts, results, trail }) => {
      const stored: StoredResult | null = results === null ? null : JSON.parse(results);
      const error = stored?.error ?? null;
      const end: StepEnd = {
        state,
        attempts,
        result: stored?.result ?? null,
        error: error === null ? null : { type: error.error_type, message: error.message },
        trail,
      };
      return [name, end];
    }),
  );
}

export async function taskTrail(db: Pool, taskUuid: string): Promise<string[]> {
  const { rows } = await db.query<{ to_state: string }>(
    "select to_state from tasker.task_transitions where task_uuid = $1 order by sort_key",
    [taskUuid],
  );
  return rows.map(({ to_state }) => to_state);
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
