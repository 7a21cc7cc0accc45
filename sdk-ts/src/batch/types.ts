/** Shapes of batch processing. Names in snake_case travel on the wire, the others stay in the handler. */

type Fields = Record<string, unknown>;

export type FailureStrategy = "continue_on_failure" | "fail_fast" | "isolate";

/** A half-open range `[startCursor, endCursor)`. */
export interface CursorConfig {
  readonly startCursor: number;
  readonly endCursor: number;
  readonly stepSize: number;
  readonly metadata: Fields;
}

export interface BatchAnalyzerOutcome {
  readonly cursorConfigs: readonly CursorConfig[];
  readonly totalItems: number;
  readonly batchMetadata: Fields;
}

export interface BatchWorkerOutcome {
  readonly itemsProcessed: number;
  readonly itemsSucceeded: number;
  readonly itemsFailed: number;
  readonly itemsSkipped: number;
  readonly results: readonly unknown[];
  readonly errors: readonly unknown[];
  readonly lastCursor: unknown;
  readonly batchMetadata: Fields;
}

/** One worker's share, as the class helper `createCursorConfigs` deals it. */
export interface BatchWorkerConfig {
  readonly batch_id: string;
  readonly cursor_start: number;
  readonly cursor_end: number;
  readonly row_count: number;
  readonly worker_index: number;
  readonly total_workers: number;
}

export interface RustCursorConfig {
  readonly batch_id: string;
  readonly start_cursor: unknown;
  readonly end_cursor: unknown;
  readonly batch_size: number;
}

export interface BatchMetadata {
  readonly cursor_field: string;
  readonly failure_strategy: FailureStrategy;
}

/** What the engine puts into a batch worker's inputs. */
export interface RustBatchWorkerInputs {
  readonly cursor: RustCursorConfig;
  readonly batch_metadata: BatchMetadata;
  readonly is_no_op: boolean;
}

export interface NoBatchesOutcome {
  readonly type: "no_batches";
}

export interface CreateBatchesOutcome {
  readonly type: "create_batches";
  readonly worker_template_name: string;
  readonly worker_count: number;
  readonly cursor_configs: readonly RustCursorConfig[];
  readonly total_items: number;
}

export type BatchProcessingOutcome = NoBatchesOutcome | CreateBatchesOutcome;

export interface BatchAggregationResult {
  readonly total_processed: number;
  readonly total_succeeded: number;
  readonly total_failed: number;
  readonly total_skipped: number;
  readonly batch_count: number;
  /** 0 to 1; 0 when nothing was processed. */
  readonly success_rate: number;
  readonly errors: readonly unknown[];
  readonly error_count: number;
}

export interface BatchAggregationScenario {
  readonly isNoBatches: boolean;
  readonly batchableResult: unknown;
  /** Worker step name to its result. */
  readonly batchResults: Readonly<Record<string, unknown>>;
  readonly workerCount: number;
}

export function noBatches(): NoBatchesOutcome {
  return { type: "no_batches" };
}

/** @throws Error when `workerCount` is not the number of cursor configs. */
export function createBatches(
  workerTemplateName: string,
  workerCount: number,
  cursorConfigs: readonly RustCursorConfig[],
  totalItems: number,
): CreateBatchesOutcome {
  if (cursorConfigs.length !== workerCount) {
    throw new Error(
      `Expected one cursor config per worker: workerCount is ${workerCount}, cursorConfigs has ${cursorConfigs.length}`,
    );
  }
  return {
    type: "create_batches",
    worker_template_name: workerTemplateName,
    worker_count: workerCount,
    cursor_configs: cursorConfigs,
    total_items: totalItems,
  };
}

export function isNoBatches(outcome: BatchProcessingOutcome): outcome is NoBatchesOutcome {
  return outcome.type === "no_batches";
}

export function isCreateBatches(outcome: BatchProcessingOutcome): outcome is CreateBatchesOutcome {
  return outcome.type === "create_batches";
}
