import type { Queryable } from "../pool.js";
import type { PriorityClass } from "./routes.js";

export interface QueueDepth {
  readonly queueName: string;
  /** Null, as `class` is, for the queues of the orchestrators. */
  readonly namespace: string | null;
  readonly class: PriorityClass | null;
  /** Messages, those of running steps included. */
  readonly depth: number;
  /** Of these, the ones that wait for somebody to take them. */
  readonly visible: number;
  /** How long the oldest of them has waited; null when none does. */
  readonly oldestSeconds: number | null;
}

/** `tasker_core.queue_depths`: what waits in every queue. Counts all messages: for metrics and health. */
export async function readQueueDepths(db: Queryable): Promise<QueueDepth[]> {
  const { rows } = await db.query<{
    queue_name: string;
    namespace: string | null;
    class: PriorityClass | null;
    depth: bigint;
    visible: bigint;
    oldest_seconds: number | null;
  }>(
    "select queue_name, namespace, class, depth, visible, oldest_seconds from tasker_core.queue_depths()",
  );
  return rows.map((row) => ({
    queueName: row.queue_name,
    namespace: row.namespace,
    class: row.class,
    depth: Number(row.depth),
    visible: Number(row.visible),
    oldestSeconds: row.oldest_seconds,
  }));
}
