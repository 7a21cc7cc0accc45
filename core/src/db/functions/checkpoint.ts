import type { Queryable } from "../pool.js";
import { interval, packBodies } from "./routes.js";
import { readTickRows, type TickOutcome } from "./tick-row.js";

/** Progress on its way into the database. */
export interface CheckpointReport {
  readonly stepId: bigint;
  readonly token: number;
  /** JSON text of `{cursor, items_processed, accumulated_results}`. */
  readonly body: Uint8Array;
}

export interface CheckpointInput {
  readonly workerId: number;
  /** At most one per step. */
  readonly reports: readonly CheckpointReport[];
  readonly leaseMs: number;
  /** Entries of a step's history to keep, the newest. */
  readonly historyLimit: number;
}

const CHECKPOINT = `select * from tasker_core.checkpoint_steps($1, $2, $3, $4, $5, $6, $7)`;

/**
 * `tasker_core.checkpoint_steps`: stores what running steps have got to and leases them anew. A verdict per report;
 * a claim, with the new token, per step that goes on.
 */
export async function checkpointSteps(db: Queryable, input: CheckpointInput): Promise<TickOutcome> {
  // The function looks steps up by binary search, so it wants them in ascending order.
  const reports = [...input.reports].sort((a, b) => (a.stepId < b.stepId ? -1 : 1));
  const { bytes, ends } = packBodies(reports.map((report) => report.body));
  return readTickRows(
    await db.prepared("checkpoint_steps", CHECKPOINT, [
      input.workerId,
      reports.map((report) => report.stepId.toString()),
      reports.map((report) => report.token),
      bytes,
      ends,
      interval(input.leaseMs),
      input.historyLimit,
    ]),
  );
}

/** Stored progress, by step: JSON text as in `workflow_steps.checkpoint`. Steps without any are absent. */
export async function loadCheckpoints(
  db: Queryable,
  stepIds: readonly bigint[],
): Promise<Map<bigint, string>> {
  const { rows } = await db.prepared<{ step_id: bigint; checkpoint: string }>(
    "load_checkpoints",
    "select step_id, checkpoint from tasker_core.load_checkpoints($1)",
    [stepIds.map(String)],
  );
  return new Map(rows.map((row) => [row.step_id, row.checkpoint]));
}
