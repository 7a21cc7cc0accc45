import type { BatchWorkerConfig, CursorConfig } from "./types.js";

type Fields = Record<string, unknown>;

export function cursorConfig(
  start: number,
  end: number,
  stepSize = 1,
  metadata: Fields = {},
): CursorConfig {
  return { startCursor: start, endCursor: end, stepSize, metadata };
}

/**
 * Consecutive half-open ranges that cover `[0, totalItems)` exactly once; the last may be shorter. With
 * `maxBatches`, ranges grow until that many suffice.
 *
 * @throws Error when `batchSize` is not positive.
 */
export function cursorRanges(
  totalItems: number,
  batchSize: number,
  stepSize = 1,
  maxBatches?: number,
): CursorConfig[] {
  if (!(batchSize > 0)) throw new Error("batchSize must be > 0");
  const size =
    maxBatches !== undefined && maxBatches > 0 && Math.ceil(totalItems / batchSize) > maxBatches
      ? Math.ceil(totalItems / maxBatches)
      : batchSize;
  const ranges: CursorConfig[] = [];
  for (let start = 0; start < totalItems; start += size) {
    ranges.push(cursorConfig(start, Math.min(start + size, totalItems), stepSize));
  }
  return ranges;
}

/**
 * Deals `totalItems` to at most `workerCount` workers with ids `001`, `002`, ...; fewer when the items run out.
 *
 * @throws Error when `workerCount` is not positive.
 */
export function workerConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[] {
  if (!(workerCount > 0)) throw new Error("workerCount must be > 0");
  if (totalItems === 0) return [];
  const share = Math.ceil(totalItems / workerCount);
  return cursorRanges(totalItems, share).map((range, index) => ({
    batch_id: String(index + 1).padStart(3, "0"),
    cursor_start: range.startCursor,
    cursor_end: range.endCursor,
    row_count: range.endCursor - range.startCursor,
    worker_index: index,
    total_workers: workerCount,
  }));
}
