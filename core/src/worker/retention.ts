import { deleteArchivedMessages, deleteFinishedTasks, sweepLog } from "../db/functions/index.js";
import type { Pool } from "../db/index.js";
import { delay } from "../lib/delay.js";
import type { Logger } from "../observability/index.js";

export interface RetentionSettings {
  readonly intervalMs: number;
  /** Tasks go when they have been final for this long. */
  readonly ageMs: number;
  /** Tasks per transaction at most. */
  readonly batchSize: number;
  /** The audit trail of deleted tasks is looked for at most this often: it means reading all of it. */
  readonly logSweepIntervalMs: number;
}

export interface RetentionDeps {
  readonly pool: Pool;
  readonly settings: RetentionSettings;
  readonly logger: Logger;
}

/** Deletes finished tasks, a batch per transaction. Rests after each batch for as long as it took. */
export class Retention {
  readonly #deps: RetentionDeps;
  #deletedSinceSweep = 0;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  /** One round: everything that is due now. Ends early, without an error, when `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { pool, settings, logger } = this.#deps;
    let deleted = 0;
    await inTurns(signal, async (after) => {
      const batch = await deleteFinishedTasks(pool, {
        ageMs: settings.ageMs,
        limit: settings.batchSize,
        after,
      });
      deleted += batch.deleted;
      return batch.nextAfter;
    });
    const messages = await deleteArchivedMessages(pool, settings.ageMs);
    if (deleted > 0 || messages > 0n) {
      logger.info({ tasks: deleted, messages: Number(messages) }, "finished tasks were deleted");
    }
    this.#deletedSinceSweep += deleted;
    if (
      this.#deletedSinceSweep > 0 &&
      performance.now() >= this.#sweptAt + settings.logSweepIntervalMs
    ) {
      await this.#sweep(signal);
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { pool, logger } = this.#deps;
    const before = this.#deletedSinceSweep;
    let rows = 0n;
    this.#deletedSinceSweep = 0;
    await inTurns(signal, async (from) => {
      const stretch = await sweepLog(pool, from);
      // Another host is at it, but may have been here before we deleted: our turn comes next time.
      if (stretch === null) this.#deletedSinceSweep = before;
      rows += stretch?.deleted ?? 0n;
      return stretch?.nextFrom ?? 0n;
    });
    if (this.#deletedSinceSweep > 0) return;
    this.#sweptAt = performance.now();
    logger.debug({ rows: Number(rows) }, "the audit trail of deleted tasks was deleted");
  }
}

/** Calls `work` with where it left off until it says 0, resting in between. */
async function inTurns(
  signal: AbortSignal,
  work: (from: bigint) => Promise<bigint>,
): Promise<void> {
  let from = 0n;
  for (;;) {
    const startedAt = performance.now();
    from = await work(from);
    if (from === 0n || signal.aborted) return;
    await delay(performance.now() - startedAt, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
}
