import type { StepContext } from "../context.js";
import type { CursorConfig } from "./types.js";

type Fields = Record<string, unknown>;

interface BatchWorkerContextParams {
  readonly batchId: string;
  readonly cursorConfig: CursorConfig;
  readonly batchIndex: number;
  readonly totalBatches: number;
  readonly batchMetadata: Fields;
  readonly checkpoint: Fields;
  readonly isNoOp: boolean;
  readonly batchSize: number | null;
}

/** A batch worker's share of the items, and where its last run stopped. */
export class BatchWorkerContext {
  readonly batchId: string;
  readonly cursorConfig: CursorConfig;
  readonly batchIndex: number;
  readonly totalBatches: number;
  readonly batchMetadata: Fields;
  readonly checkpoint: Fields;
  /** The placeholder that runs when the analyzer found nothing to do. */
  readonly isNoOp: boolean;
  /** Items in this share, when the engine said so. */
  readonly batchSize: number | null;

  constructor(params: BatchWorkerContextParams) {
    this.batchId = params.batchId;
    this.cursorConfig = params.cursorConfig;
    this.batchIndex = params.batchIndex;
    this.totalBatches = params.totalBatches;
    this.batchMetadata = params.batchMetadata;
    this.checkpoint = params.checkpoint;
    this.isNoOp = params.isNoOp;
    this.batchSize = params.batchSize;
  }

  get startCursor(): number {
    return this.cursorConfig.startCursor;
  }

  get endCursor(): number {
    return this.cursorConfig.endCursor;
  }

  get stepSize(): number {
    return this.cursorConfig.stepSize;
  }

  get checkpointCursor(): unknown {
    return this.checkpoint["cursor"] ?? null;
  }

  get accumulatedResults(): Fields | null {
    return objectOrNull(this.checkpoint["accumulated_results"]);
  }

  get checkpointItemsProcessed(): number {
    return numberOr(this.checkpoint["items_processed"], 0);
  }

  hasCheckpoint(): boolean {
    return this.checkpointCursor !== null;
  }
}

/**
 * The batch a step belongs to: from its inputs (how the engine makes workers), else from `batch_context` in the
 * step's configuration, the task's context or the inputs; null for a step that is no batch worker.
 */
export function batchContextOf(context: StepContext): BatchWorkerContext | null {
  const cursor = objectOrNull(context.stepInputs["cursor"]);
  if (cursor !== null) return fromCursor(context, cursor);
  const given =
    objectOrNull(context.stepConfig["batch_context"]) ??
    objectOrNull(context.inputData["batch_context"]) ??
    objectOrNull(context.stepInputs["batch_context"]);
  return given === null ? null : fromGiven(context, given);
}

function fromCursor(context: StepContext, cursor: Fields): BatchWorkerContext {
  return new BatchWorkerContext({
    batchId: textOr(cursor["batch_id"], ""),
    cursorConfig: cursorOf(cursor),
    batchIndex: 0,
    totalBatches: 1,
    batchMetadata: objectOrNull(context.stepInputs["batch_metadata"]) ?? {},
    checkpoint: context.checkpoint ?? {},
    isNoOp: context.stepInputs["is_no_op"] === true,
    batchSize: typeof cursor["batch_size"] === "number" ? cursor["batch_size"] : null,
  });
}

function fromGiven(context: StepContext, given: Fields): BatchWorkerContext {
  const cursor = objectOrNull(given["cursor_config"]) ?? {};
  return new BatchWorkerContext({
    batchId: textOr(given["batch_id"], ""),
    cursorConfig: cursorOf(cursor),
    batchIndex: numberOr(given["batch_index"], 0),
    totalBatches: numberOr(given["total_batches"], 1),
    batchMetadata: objectOrNull(given["batch_metadata"]) ?? {},
    checkpoint: context.checkpoint ?? {},
    isNoOp: context.stepInputs["is_no_op"] === true,
    batchSize: typeof cursor["batch_size"] === "number" ? cursor["batch_size"] : null,
  });
}

function cursorOf(cursor: Fields): CursorConfig {
  return {
    startCursor: numberOr(cursor["start_cursor"], 0),
    endCursor: numberOr(cursor["end_cursor"], 0),
    stepSize: numberOr(cursor["step_size"] ?? cursor["batch_size"], 1),
    metadata: objectOrNull(cursor["metadata"]) ?? {},
  };
}

export function objectOrNull(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function textOr(value: unknown, fallback: string): string {
  return typeof value === "string" ? value : fallback;
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}
