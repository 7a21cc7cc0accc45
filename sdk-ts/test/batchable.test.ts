import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StepContext } from "../src/context.js";
import {
  aggregateBatchResults,
  applyBatchable,
  BatchableMixin,
  BatchableStepHandler,
  createBatches,
  detectAggregationScenario,
  type StepHandlerResult,
} from "../src/index.js";
import { type EventParts, stepEvent } from "./support/step-event.js";

const batch = new BatchableMixin();
const contextOf = (parts: EventParts): StepContext =>
  StepContext.fromFfiEvent(stepEvent(parts), "work");

describe("cursor arithmetic", () => {
  it("covers every item exactly once, in order", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5_000 }),
        fc.integer({ min: 1, max: 700 }),
        fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
        (total, size, maxBatches) => {
          const ranges = batch.createCursorRanges(total, size, 1, maxBatches);
          let next = 0;
          for (const range of ranges) {
            expect(range.startCursor).toBe(next);
            expect(range.endCursor).toBeGreaterThan(range.startCursor);
            next = range.endCursor;
          }
          expect(next).toBe(total);
          if (maxBatches !== undefined) expect(ranges.length).toBeLessThanOrEqual(maxBatches);
        },
      ),
    );
  });

  it("deals shares to workers, fewer when the items run out", () => {
    expect(batch.createCursorConfigs(25, 3).map((config) => Object.values(config))).toEqual([
      ["001", 0, 9, 9, 0, 3],
      ["002", 9, 18, 9, 1, 3],
      ["003", 18, 25, 7, 2, 3],
    ]);
    expect(batch.createCursorConfigs(2, 5)).toHaveLength(2);
    expect(batch.createCursorConfigs(0, 5)).toEqual([]);
  });

  it("refuses impossible sizes", () => {
    expect(() => batch.createCursorRanges(5, 0)).toThrow("batchSize must be > 0");
    expect(() => batch.createCursorConfigs(5, 0)).toThrow("workerCount must be > 0");
    expect(() => createBatches("w", 2, [], 0)).toThrow(/workerCount is 2/);
  });
});

describe("batch workers", () => {
  const cursor = { batch_id: "002", start_cursor: 9, end_cursor: 18, batch_size: 9 };

  it("read their share from the step's inputs", () => {
    const context = contextOf({ inputs: { cursor, batch_metadata: { cursor_field: "id" } } });
    expect(batch.getBatchContext(context)).toMatchObject({
      batchId: "002",
      startCursor: 9,
      endCursor: 18,
      stepSize: 9,
      batchIndex: 0,
      totalBatches: 1,
      batchMetadata: { cursor_field: "id" },
      batchSize: 9,
      isNoOp: false,
    });
    expect(batch.getBatchWorkerInputs(context)).toMatchObject({ cursor });
  });

  it("read it from batch_context otherwise", () => {
    const given = {
      batch_id: "b",
      cursor_config: { start_cursor: 1, end_cursor: 3, step_size: 2 },
      batch_index: 4,
      total_batches: 9,
    };
    const context = contextOf({ context: { batch_context: given } });
    expect(batch.getBatchContext(context)).toMatchObject({
      batchId: "b",
      endCursor: 3,
      stepSize: 2,
      batchIndex: 4,
      totalBatches: 9,
    });
    expect(batch.getBatchContext(contextOf({}))).toBeNull();
    expect(batch.getBatchWorkerInputs(contextOf({}))).toBeNull();
  });

  it("answer at once when they are placeholders", () => {
    const placeholder = batch.handleNoOpWorker(contextOf({ inputs: { cursor, is_no_op: true } }));
    expect(placeholder?.result).toMatchObject({ batch_id: "002", no_op: true, processed_count: 0 });
    expect(batch.handleNoOpWorker(contextOf({ inputs: { cursor, is_no_op: false } }))).toBeNull();
  });

  it("count what they processed as succeeded unless told otherwise", () => {
    const outcome = batch.createWorkerOutcome(5);
    expect(batch.batchWorkerSuccess(outcome).result).toMatchObject({
      batch_worker_outcome: { items_processed: 5, items_succeeded: 5, items_failed: 0 },
    });
  });
});

describe("analyzers", () => {
  class Analyzer extends BatchableStepHandler {
    async call(): Promise<StepHandlerResult> {
      return this.batchSuccess("work", this.createCursorConfigs(25, 2), { source: "csv" });
    }
  }

  it("create one worker per config", async () => {
    const result = await new Analyzer().call();
    expect(result.result).toEqual({
      batch_processing_outcome: {
        type: "create_batches",
        worker_template_name: "work",
        worker_count: 2,
        cursor_configs: [
          { batch_id: "001", start_cursor: 0, end_cursor: 13, batch_size: 13 },
          { batch_id: "002", start_cursor: 13, end_cursor: 25, batch_size: 12 },
        ],
        total_items: 25,
      },
      source: "csv",
    });
  });

  it("or say that there is nothing to do", () => {
    expect(new Analyzer().noBatchesResult("empty file", { a: 1 }).result).toEqual({
      batch_processing_outcome: { type: "no_batches" },
      a: 1,
      reason: "empty file",
    });
  });

  it("can be any object", () => {
    const target = applyBatchable({ name: "plain" });
    expect(target.createCursorRanges(3, 2)).toHaveLength(2);
    expect(Object.keys(target)).toEqual(["name"]);
  });
});

describe("joins", () => {
  const stored = (result: unknown): unknown => ({ success: true, result });

  it("collect the workers' results", () => {
    const scenario = detectAggregationScenario(
      {
        analyze: stored({ batch_processing_outcome: { type: "create_batches" } }),
        work_1: stored({ n: 1 }),
        work_2: stored(5),
        other: stored({}),
      },
      "analyze",
      "work_",
    );
    expect(scenario).toMatchObject({
      isNoBatches: false,
      workerCount: 2,
      batchResults: { work_1: { n: 1 }, work_2: {} },
    });
    expect(batch.aggregateBatchWorkerResults(scenario, {}, () => ({ sum: 1 })).result).toEqual({
      sum: 1,
      worker_count: 2,
      scenario: "with_batches",
    });
  });

  it("know a batch without workers, and a graph that is wrong", () => {
    const none = { analyze: stored({ batch_processing_outcome: { type: "no_batches" } }) };
    const scenario = detectAggregationScenario(none, "analyze", "work_");
    expect(batch.aggregateBatchWorkerResults(scenario, { total: 0 }).result).toEqual({
      worker_count: 0,
      scenario: "no_batches",
      total: 0,
    });
    expect(() => detectAggregationScenario({}, "analyze", "w")).toThrow(
      "Missing batchable step dependency: analyze",
    );
    expect(() => detectAggregationScenario({ analyze: stored({}) }, "analyze", "w")).toThrow(
      /No batch worker results/,
    );
  });

  it("total flat and nested worker outcomes alike", () => {
    const nested = batch.batchWorkerSuccess(
      batch.createWorkerOutcome(4, 3, 1, 0, [], ["bad"]),
    ).result;
    const flat = { items_processed: 6, items_succeeded: 6, errors: ["worse"] };
    expect(aggregateBatchResults([nested as Record<string, unknown>, flat, null], 1)).toEqual({
      total_processed: 10,
      total_succeeded: 9,
      total_failed: 1,
      total_skipped: 0,
      batch_count: 2,
      success_rate: 0.9,
      errors: ["bad"],
      error_count: 2,
    });
  });
});
