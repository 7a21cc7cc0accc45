import type { Pool } from "../pool.js";
import { asOnlyHost } from "./maintenance.js";
import { interval } from "./routes.js";

export interface DeletedTasks {
  readonly deleted: number;
  /** Where to go on; 0 when everything behind is too young, and while another host does the same. */
  readonly nextAfter: bigint;
}

/** `tasker_core.delete_finished_tasks`: a batch of the tasks behind `after` that have been final for `ageMs`. */
export async function deleteFinishedTasks(
  pool: Pool,
  input: { readonly ageMs: number; readonly limit: number; readonly after: bigint },
): Promise<DeletedTasks> {
  const row = await asOnlyHost(pool, "retention", async (db) => {
    const { rows } = await db.query<{ deleted: number; next_after: bigint }>(
      "select deleted, next_after from tasker_core.delete_finished_tasks(tasker.now() - $1::interval, $2, $3)",
      [interval(input.ageMs), input.limit, input.after.toString()],
    );
    return rows[0];
  });
  return { deleted: row?.deleted ?? 0, nextAfter: row?.next_after ?? 0n };
}

export interface SweptLog {
  readonly deleted: bigint;
  /** Block to go on from; 0 at the end. */
  readonly nextFrom: bigint;
}

/**
 * `tasker_core.sweep_log`: a stretch of the audit trail, from block `from` on, loses the rows of deleted tasks. Null, and
 * nothing done, while another host does the same.
 */
export async function sweepLog(pool: Pool, from: bigint): Promise<SweptLog | null> {
  const row = await asOnlyHost(pool, "log sweep", async (db) => {
    const { rows } = await db.query<{ deleted: bigint; next_from: bigint }>(
      "select deleted, next_from from tasker_core.sweep_log($1)",
      [from.toString()],
    );
    return rows[0];
  });
  return row === undefined ? null : { deleted: row.deleted, nextFrom: row.next_from };
}

/** `tasker_core.delete_archived_messages`: messages that nobody could read, archived `ageMs` ago. */
export async function deleteArchivedMessages(pool: Pool, ageMs: number): Promise<bigint> {
  const deleted = await asOnlyHost(pool, "retention", async (db) => {
    const { rows } = await db.query<{ deleted: bigint }>(
      "select tasker_core.delete_archived_messages(tasker.now() - $1::interval) as deleted",
      [interval(ageMs)],
    );
    return rows[0]?.deleted;
  });
  return deleted ?? 0n;
}
