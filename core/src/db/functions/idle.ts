import type { Queryable } from "../pool.js";

/** `tasker_core.mark_worker_idle`: look at the queues once more after it returns, then sleep. */
export async function markWorkerIdle(
  db: Queryable,
  workerId: number,
  namespaceIds: readonly number[],
): Promise<void> {
  await db.prepared("mark_idle", "select tasker_core.mark_worker_idle($1, $2)", [
    workerId,
    namespaceIds,
  ]);
}

/** `tasker_core.wake_idle_workers`: notifies other sleeping workers of these namespaces; returns how many. */
export async function wakeIdleWorkers(
  db: Queryable,
  callerId: number,
  namespaceIds: readonly number[],
): Promise<number> {
  const { rows } = await db.prepared<{ woken: number }>(
    "wake_idle",
    "select tasker_core.wake_idle_workers($1, $2) as woken",
    [callerId, namespaceIds],
  );
  return rows[0]?.woken ?? 0;
}
