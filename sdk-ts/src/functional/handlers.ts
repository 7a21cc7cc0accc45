import { type APICapable, APIMixin } from "../api.js";
import { cursorRanges } from "../batch/cursors.js";
import { type CreateBatchesOutcome, createBatches } from "../batch/types.js";
import { type BatchWorkerContext, batchContextOf } from "../batch/worker-context.js";
import { DecisionMixin } from "../decision.js";
import { PermanentError } from "../errors.js";
import { isStepHandlerResult, StepHandlerResult, wrapReturnValue } from "../result.js";
import { Decision } from "./decision.js";
import { createHandlerClass, DEFAULT_VERSION } from "./define.js";
import type { DefinedHandler } from "./dependencies.js";
import type {
  Depends,
  HandlerArgs,
  HandlerOptions,
  Inputs,
  MaybeSchema,
  None,
  ReturningFn,
  StoredOutput,
} from "./options.js";

/**
 * Makes a handler of a function.
 *
 * ```ts
 * export const charge = defineHandler(
 *   "charge",
 *   { input: z.object({ card: z.string() }), depends: { order: validateOrder } },
 *   async ({ input, order, signal }) => ({ chargeId: await pay(input.card, order.total, signal) }),
 * );
 * ```
 *
 * Whatever it returns is the step's result: an object as it is, arrays and scalars as `{result: value}`, nothing
 * as `{}`. Throw `PermanentError` or `RetryableError` to say whether another attempt makes sense; any other error
 * is retried within the step's limit.
 */
export function defineHandler<
  In extends MaybeSchema = undefined,
  Out extends MaybeSchema = undefined,
  D extends Depends = None,
  I extends Inputs = None,
  R = unknown,
>(
  name: string,
  options: HandlerOptions<In, Out, D, I>,
  fn: ReturningFn<HandlerArgs<In, D, I>, Out, R>,
): DefinedHandler<StoredOutput<Out, R>> {
  return createHandlerClass({ name, options, capabilities: ["process"], fn });
}

/** Chooses which decision branches of the template run: return `Decision.route([...])` or `Decision.skip(why)`. */
export function defineDecisionHandler<
  In extends MaybeSchema = undefined,
  D extends Depends = None,
  I extends Inputs = None,
>(
  name: string,
  options: Omit<HandlerOptions<In, undefined, D, I>, "output">,
  fn: (args: HandlerArgs<In, D, I>) => unknown,
): DefinedHandler {
  const decisions = new DecisionMixin({ name, version: options.version ?? DEFAULT_VERSION });
  return createHandlerClass({
    name,
    options,
    capabilities: ["process", "decision", "routing"],
    finish: (returned) => Decision.resultOf(returned, decisions) ?? wrapReturnValue(returned),
    fn,
  });
}

/** What a batch analyzer returns: the engine makes one worker per `batchSize` items. */
export interface BatchConfig {
  readonly totalItems: number;
  readonly batchSize: number;
  readonly metadata?: Record<string, unknown>;
}

/** Decides how many workers a batch needs; `workerTemplate` names the template step they are made from. */
export function defineBatchAnalyzer<
  In extends MaybeSchema = undefined,
  D extends Depends = None,
  I extends Inputs = None,
>(
  name: string,
  options: Omit<HandlerOptions<In, undefined, D, I>, "output"> & {
    readonly workerTemplate: string;
  },
  fn: (
    args: HandlerArgs<In, D, I>,
  ) => BatchConfig | StepHandlerResult | Promise<BatchConfig | StepHandlerResult>,
): DefinedHandler<{ batch_processing_outcome: CreateBatchesOutcome }> {
  return createHandlerClass({
    name,
    options,
    capabilities: ["process", "batchable", "batch_analyzer"],
    finish: (returned) => batchPlan(name, options.workerTemplate, returned),
    fn,
  });
}

/** Works on one share of a batch; `batchContext` is null when the step is no batch worker. */
export function defineBatchWorker<
  In extends MaybeSchema = undefined,
  Out extends MaybeSchema = undefined,
  D extends Depends = None,
  I extends Inputs = None,
  R = unknown,
>(
  name: string,
  options: HandlerOptions<In, Out, D, I>,
  fn: ReturningFn<
    HandlerArgs<In, D, I> & { readonly batchContext: BatchWorkerContext | null },
    Out,
    R
  >,
): DefinedHandler<StoredOutput<Out, R>> {
  return createHandlerClass({
    name,
    options,
    capabilities: ["process", "batchable", "batch_worker"],
    extras: (context) => ({ batchContext: batchContextOf(context) }),
    fn,
  });
}

export interface ApiHandlerOptions<
  In extends MaybeSchema = MaybeSchema,
  Out extends MaybeSchema = MaybeSchema,
  D extends Depends = Depends,
  I extends Inputs = Inputs,
> extends HandlerOptions<In, Out, D, I> {
  readonly baseUrl: string;
  /** Milliseconds per request; default 30 000. */
  readonly defaultTimeout?: number;
  readonly defaultHeaders?: Record<string, string>;
}

export type ApiHandlerArgs<
  In extends MaybeSchema = undefined,
  D extends Depends = Depends,
  I extends Inputs = Inputs,
> = HandlerArgs<In, D, I> & { readonly api: APICapable };

/** Calls an HTTP API through `api`, whose requests end when the step is asked to stop. */
export function defineApiHandler<
  In extends MaybeSchema = undefined,
  Out extends MaybeSchema = undefined,
  D extends Depends = None,
  I extends Inputs = None,
  R = unknown,
>(
  name: string,
  options: ApiHandlerOptions<In, Out, D, I>,
  fn: ReturningFn<ApiHandlerArgs<In, D, I>, Out, R>,
): DefinedHandler<StoredOutput<Out, R>> {
  return createHandlerClass({
    name,
    options,
    capabilities: ["process", "http", "api"],
    extras: (context) => ({
      api: new APIMixin({
        baseUrl: options.baseUrl,
        timeout: options.defaultTimeout ?? 30_000,
        defaultHeaders: options.defaultHeaders ?? {},
        signal: context.signal,
      }),
    }),
    fn,
  });
}

function batchPlan(name: string, workerTemplate: string, returned: unknown): StepHandlerResult {
  if (isStepHandlerResult(returned) || !isBatchConfig(returned)) return wrapReturnValue(returned);
  const { totalItems, batchSize, metadata } = returned;
  if (
    !Number.isInteger(totalItems) ||
    totalItems < 0 ||
    !Number.isInteger(batchSize) ||
    batchSize < 1
  ) {
    throw new PermanentError(
      `Batch analyzer "${name}": expected totalItems to be an integer >= 0 and batchSize an integer >= 1, got ${totalItems} and ${batchSize}`,
    );
  }
  const cursors = cursorRanges(totalItems, batchSize).map((range, index) => ({
    batch_id: `batch_${String(index).padStart(3, "0")}`,
    start_cursor: range.startCursor,
    end_cursor: range.endCursor,
    batch_size: range.endCursor - range.startCursor,
  }));
  return StepHandlerResult.success(
    {
      batch_processing_outcome: createBatches(workerTemplate, cursors.length, cursors, totalItems),
    },
    { batch_count: cursors.length, total_items: totalItems, ...metadata },
  );
}

function isBatchConfig(value: unknown): value is BatchConfig {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<BatchConfig>).totalItems === "number" &&
    typeof (value as Partial<BatchConfig>).batchSize === "number"
  );
}
