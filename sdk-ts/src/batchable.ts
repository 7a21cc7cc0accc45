import { aggregateBatchResults, detectAggregationScenario } from "./batch/aggregation.js";
import { cursorConfig, cursorRanges, workerConfigs } from "./batch/cursors.js";
import {
  type BatchAggregationResult,
  type BatchAggregationScenario,
  type BatchAnalyzerOutcome,
  type BatchWorkerConfig,
  type BatchWorkerOutcome,
  type CursorConfig,
  createBatches,
  noBatches,
  type RustBatchWorkerInputs,
} from "./batch/types.js";
import { type BatchWorkerContext, batchContextOf } from "./batch/worker-context.js";
import type { StepContext } from "./context.js";
import { StepHandler } from "./handler.js";
import { StepHandlerResult } from "./result.js";

type Fields = Record<string, unknown>;
type AggregationFn = (batchResults: Readonly<Record<string, unknown>>) => Fields;

/** The helpers of batch analyzers, batch workers and the step that joins them. */
export class BatchableMixin {
  createCursorConfig(
    start: number,
    end: number,
    stepSize?: number,
    metadata?: Fields,
  ): CursorConfig {
    return cursorConfig(start, end, stepSize, metadata);
  }

  createCursorRanges(
    totalItems: number,
    batchSize: number,
    stepSize?: number,
    maxBatches?: number,
  ): CursorConfig[] {
    return cursorRanges(totalItems, batchSize, stepSize, maxBatches);
  }

  createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[] {
    return workerConfigs(totalItems, workerCount);
  }

  createBatchOutcome(
    totalItems: number,
    batchSize: number,
    stepSize = 1,
    batchMetadata: Fields = {},
  ): BatchAnalyzerOutcome {
    return {
      cursorConfigs: cursorRanges(totalItems, batchSize, stepSize),
      totalItems,
      batchMetadata,
    };
  }

  createWorkerOutcome(
    itemsProcessed: number,
    itemsSucceeded = 0,
    itemsFailed = 0,
    itemsSkipped = 0,
    results: readonly unknown[] = [],
    errors: readonly unknown[] = [],
    lastCursor: unknown = null,
    batchMetadata: Fields = {},
  ): BatchWorkerOutcome {
    return {
      itemsProcessed,
      itemsSucceeded: itemsSucceeded || itemsProcessed,
      itemsFailed,
      itemsSkipped,
      results,
      errors,
      lastCursor,
      batchMetadata,
    };
  }

  getBatchContext(context: StepContext): BatchWorkerContext | null {
    return batchContextOf(context);
  }

  /** The step's inputs under their batch type, not validated; null when there are none. */
  getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
    return Object.keys(context.stepInputs).length === 0 ? null : context.stepInputs;
  }

  /** The finished result of a placeholder worker; null for a real one. */
  handleNoOpWorker(context: StepContext): StepHandlerResult | null {
    const inputs = this.getBatchWorkerInputs(context);
    if (inputs?.is_no_op !== true) return null;
    return StepHandlerResult.success({
      batch_id: inputs.cursor?.batch_id ?? "no_op",
      no_op: true,
      processed_count: 0,
      message: "No batches to process",
      processed_at: new Date().toISOString(),
    });
  }

  /** A report only: workers are created from `batch_processing_outcome` (see `batchSuccess`). */
  batchAnalyzerSuccess(outcome: BatchAnalyzerOutcome, metadata?: Fields): StepHandlerResult {
    return StepHandlerResult.success(
      {
        batch_analyzer_outcome: {
          cursor_configs: outcome.cursorConfigs.map((cursor) => ({
            start_cursor: cursor.startCursor,
            end_cursor: cursor.endCursor,
            step_size: cursor.stepSize,
            metadata: cursor.metadata,
          })),
          total_items: outcome.totalItems,
          batch_metadata: outcome.batchMetadata,
        },
      },
      { batch_analyzer: true, ...metadata },
    );
  }

  batchWorkerSuccess(outcome: BatchWorkerOutcome, metadata?: Fields): StepHandlerResult {
    return StepHandlerResult.success(
      {
        batch_worker_outcome: {
          items_processed: outcome.itemsProcessed,
          items_succeeded: outcome.itemsSucceeded,
          items_failed: outcome.itemsFailed,
          items_skipped: outcome.itemsSkipped,
          results: outcome.results,
          errors: outcome.errors,
          last_cursor: outcome.lastCursor,
          batch_metadata: outcome.batchMetadata,
        },
      },
      { batch_worker: true, ...metadata },
    );
  }

  /**
   * Stores progress and gives the step back: it runs again at once, from `context.checkpointCursor`.
   *
   * @param itemsProcessed total so far, not since the last checkpoint.
   */
  checkpointYield(
    cursor: unknown,
    itemsProcessed: number,
    accumulatedResults?: Fields,
  ): StepHandlerResult {
    const result: Fields = { type: "checkpoint_yield", cursor, items_processed: itemsProcessed };
    if (accumulatedResults !== undefined) result["accumulated_results"] = accumulatedResults;
    return StepHandlerResult.success(result, { checkpoint_yield: true, batch_worker: true });
  }

  detectAggregationScenario(
    dependencies: Readonly<Record<string, unknown>>,
    batchableStep: string,
    prefix: string,
  ): BatchAggregationScenario {
    return detectAggregationScenario(dependencies, batchableStep, prefix);
  }

  noBatchesAggregationResult(zeroMetrics: Fields = {}): StepHandlerResult {
    return StepHandlerResult.success({ worker_count: 0, scenario: "no_batches", ...zeroMetrics });
  }

  aggregateBatchWorkerResults(
    scenario: BatchAggregationScenario,
    zeroMetrics?: Fields,
    aggregate: AggregationFn = (batchResults) => ({ batch_results: batchResults }),
  ): StepHandlerResult {
    if (scenario.isNoBatches) return this.noBatchesAggregationResult(zeroMetrics);
    return StepHandlerResult.success({
      ...aggregate(scenario.batchResults),
      worker_count: scenario.workerCount,
      scenario: "with_batches",
    });
  }

  static aggregateWorkerResults(
    results: readonly (Fields | null | undefined)[],
    maxErrors?: number,
  ): BatchAggregationResult {
    return aggregateBatchResults(results, maxErrors);
  }
}

/** Every helper of {@link BatchableMixin}, as an object carries them. */
export type Batchable = Pick<BatchableMixin, keyof BatchableMixin>;

/** Gives `target` the batch helpers; returns the same object. */
export function applyBatchable<T extends object>(target: T): T & Batchable {
  copyBatchMethods(target);
  return target as T & Batchable;
}

/** A class handler with the batch helpers, and the two results that make or skip batch workers. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the static block defines every merged method
export abstract class BatchableStepHandler extends StepHandler {
  static {
    copyBatchMethods(BatchableStepHandler.prototype);
  }

  override get capabilities(): string[] {
    return ["process", "batchable"];
  }

  /** Creates one worker step of `workerTemplateName` per config. */
  batchSuccess(
    workerTemplateName: string,
    batchConfigs: readonly BatchWorkerConfig[],
    metadata: Fields = {},
  ): StepHandlerResult {
    const cursors = batchConfigs.map((config) => ({
      batch_id: config.batch_id,
      start_cursor: config.cursor_start,
      end_cursor: config.cursor_end,
      batch_size: config.row_count,
    }));
    const total = batchConfigs.reduce((items, config) => items + config.row_count, 0);
    const outcome = createBatches(workerTemplateName, cursors.length, cursors, total);
    return StepHandlerResult.success({ batch_processing_outcome: outcome, ...metadata }, metadata);
  }

  /** Nothing to do: the engine runs one placeholder worker. */
  noBatchesResult(reason?: string, metadata: Fields = {}): StepHandlerResult {
    const result: Fields = { batch_processing_outcome: noBatches(), ...metadata };
    if (reason !== undefined) result["reason"] = reason;
    return StepHandlerResult.success(result, metadata);
  }
}

// The helpers are written once, in the mixin; subclasses use them as their own methods.
export interface BatchableStepHandler extends Batchable {}

function copyBatchMethods(target: object): void {
  for (const name of Object.getOwnPropertyNames(BatchableMixin.prototype)) {
    const method = Object.getOwnPropertyDescriptor(BatchableMixin.prototype, name);
    if (method !== undefined && name !== "constructor") Object.defineProperty(target, name, method);
  }
}
