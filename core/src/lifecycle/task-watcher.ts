import type { Pool } from "../db/index.js";
import { StateError } from "../errors/index.js";
import { orAborted } from "../lib/aborted.js";
import { createDeferred, type Deferred } from "../lib/deferred.js";
import { delay } from "../lib/delay.js";

/** States in which nothing happens any more without an operator. */
const RESTED = new Set([
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
  "blocked_by_failures",
]);
const POLL_MS = 250;

/**
 * Waits for tasks to come to rest. This host's own commits are heard of at once; tasks that another host finishes are
 * found by one query for all waiters.
 */
export class TaskWatcher {
  readonly #pool: Pool;
  readonly #waiting = new Map<bigint, Deferred<string>>();
  #polling: Promise<void> | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** A task has come to rest. */
  rested(taskId: bigint, state: string): void {
    this.#waiting.get(taskId)?.resolve(state);
    this.#waiting.delete(taskId);
  }

  /**
   * The state in which the task rests.
   * @throws StateError TASK_NOT_FOUND; the signal's reason when it aborts first
   */
  async wait(taskUuid: string, signal: AbortSignal): Promise<string> {
    const { rows } = await this.#pool.query<{ task_id: bigint; state: string }>(
      `select t.task_id, t.state::text from tasker_core.task_requests r
       join tasker_core.tasks t on t.task_id = r.task_id where r.task_uuid = $1`,
      [taskUuid],
    );
    const [row] = rows;
    if (row === undefined) {
      throw new StateError("TASK_NOT_FOUND", `There is no task ${taskUuid}`, {
        context: { taskUuid },
      });
    }
    if (RESTED.has(row.state)) return row.state;
    return await this.waitById(row.task_id, signal);
  }

  /** As {@link wait}, for a task of which the id is known: asks the database only in the background. */
  async waitById(taskId: bigint, signal: AbortSignal): Promise<string> {
    let waiter = this.#waiting.get(taskId);
    if (waiter === undefined) {
      waiter = createDeferred<string>();
      this.#waiting.set(taskId, waiter);
    }
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined;
    });
    return await orAborted(waiter.promise, signal);
  }

  /** Rejects nobody: waiters end by their own signals. */
  close(): void {
    this.#waiting.clear();
  }

  async #poll(): Promise<void> {
    const never = new AbortController().signal;
    while (this.#waiting.size > 0) {
      await delay(POLL_MS, never);
      try {
        await this.#look();
      } catch {
        // The database is away; the next look may find it back, and waiters have their own deadlines.
      }
    }
  }

  async #look(): Promise<void> {
    const ids = [...this.#waiting.keys()].map(String);
    const { rows } = await this.#pool.query<{ task_id: bigint; state: string }>(
      `select task_id, state::text from tasker_core.tasks where task_id = any($1)
       and state in ('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures')`,
      [ids],
    );
    for (const row of rows) this.rested(row.task_id, row.state);
  }
}
