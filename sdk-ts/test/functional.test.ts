import { describe, expect, it } from "vitest";
import { z } from "zod";
import { StepContext } from "../src/context.js";
import {
  all,
  Decision,
  type DefinedHandler,
  defineApiHandler,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  from,
  optional,
  PermanentError,
  RetryableError,
  StepHandlerResult,
} from "../src/index.js";
import { type EventParts, stepEvent } from "./support/step-event.js";

async function run(handler: DefinedHandler, parts: EventParts = {}): Promise<StepHandlerResult> {
  const instance = new handler();
  return await instance.call(StepContext.fromFfiEvent(stepEvent(parts), instance.name));
}

describe("defineHandler", () => {
  it("binds dependencies, inputs and the context", async () => {
    const handler = defineHandler(
      "charge",
      { depends: { order: "validate", gone: "gone" }, inputs: { card: "card", tip: "tip" } },
      ({ order, gone, card, tip, context }) => ({ order, gone, card, tip, step: context.stepUuid }),
    );
    const result = await run(handler, {
      context: { card: "4242" },
      dependencies: { validate: { total: 3 } },
    });
    expect(result.result).toEqual({
      order: { total: 3 },
      gone: null,
      card: "4242",
      tip: undefined,
      step: "0190a000-0000-7000-8000-000000000002",
    });
  });

  it.each([
    [{ a: 1 }, { a: 1 }],
    [[1, 2], { result: [1, 2] }],
    ["done", { result: "done" }],
    [0, { result: 0 }],
    [null, {}],
    [undefined, {}],
  ])("wraps %j as %j", async (returned, stored) => {
    expect((await run(defineHandler("wraps", {}, () => returned))).result).toEqual(stored);
  });

  it("passes a result through as it is", async () => {
    const result = StepHandlerResult.failure("no", "custom", false);
    expect(await run(defineHandler("through", {}, () => result))).toBe(result);
  });

  it("tells permanent, retryable and unknown errors apart", async () => {
    const permanent = await run(
      defineHandler("p", {}, () => {
        throw new PermanentError("card stolen", { card: "x" });
      }),
    );
    expect(permanent).toMatchObject({
      errorType: "permanent_error",
      retryable: false,
      metadata: { card: "x" },
    });
    const retryable = await run(
      defineHandler("r", {}, async () => {
        throw new RetryableError("busy");
      }),
    );
    expect(retryable).toMatchObject({ errorType: "retryable_error", retryable: true });
    const unknown = await run(
      defineHandler("u", {}, () => {
        throw new RangeError("too far");
      }),
    );
    expect(unknown).toMatchObject({
      errorType: "handler_error",
      retryable: true,
      metadata: { errorType: "RangeError" },
    });
  });

  it("refuses parameters that would hide what every handler receives", () => {
    expect(() => defineHandler("x", { depends: { context: "a" } }, () => 1)).toThrow(
      /cannot be called "context"/,
    );
    expect(() => defineHandler("", {}, () => 1)).toThrow(/needs a name/);
  });

  it("lets older handlers call an input `signal` or `input`", async () => {
    const handler = defineHandler(
      "legacy",
      { inputs: { signal: "signal", input: "input" } },
      ({ signal, input }) => ({ signal, input }),
    );
    const result = await run(handler, { context: { signal: "green", input: 4 } });
    expect(result.result).toEqual({ signal: "green", input: 4 });
  });
});

describe("schemas", () => {
  const Order = z.object({
    items: z.array(z.object({ sku: z.string() })),
    note: z.string().default("-"),
  });

  it("gives the handler what the schema made of the context", async () => {
    const handler = defineHandler("typed", { input: Order }, ({ input }) => ({ note: input.note }));
    expect((await run(handler, { context: { items: [] } })).result).toEqual({ note: "-" });
  });

  it("fails for good on an invalid context, naming the fields", async () => {
    const handler = defineHandler("typed", { input: Order }, () => ({ ran: true }));
    const result = await run(handler, { context: { items: [{ sku: 7 }] } });
    expect(result).toMatchObject({ errorType: "validation_error", retryable: false });
    expect(result.errorMessage).toContain("items.0.sku");
    expect(result.metadata["issues"]).toMatchObject([{ path: "items.0.sku" }]);
  });

  it("fails for good on an invalid output and stores the parsed one", async () => {
    const output = z.object({ total: z.number() });
    const good = defineHandler("good", { output }, () => ({ total: 3, extra: "dropped" }));
    expect((await run(good)).result).toEqual({ total: 3 });
    const list = defineHandler("list", { output: z.array(z.number()) }, () => [1, 2]);
    expect((await run(list)).result).toEqual({ result: [1, 2] });
    const bad = defineHandler("bad", { output }, () => JSON.parse('{"total":"3"}'));
    const result = await run(bad);
    expect(result).toMatchObject({ errorType: "invalid_result", retryable: false });
    expect(result.errorMessage).toContain("total");
  });

  it("keeps metadata when the checked output came in a result", async () => {
    const output = z.object({ total: z.number() });
    const handler = defineHandler("meta", { output }, () =>
      StepHandlerResult.success({ total: 1 }, { source: "cache" }),
    );
    expect(await run(handler)).toMatchObject({
      result: { total: 1 },
      metadata: { source: "cache" },
    });
  });
});

describe("typed dependencies", () => {
  const validate = defineHandler("orders.validate", {}, () => ({ total: 1 }));

  it("finds a step by the handler's name, its last part, or the name given", async () => {
    const handler = defineHandler(
      "reads",
      { depends: { a: validate, b: from(validate, "other") } },
      ({ a, b }) => ({ sum: a.total + b.total }),
    );
    const result = await run(handler, {
      dependencies: { validate: { total: 2 }, other: { total: 5 } },
    });
    expect(result.result).toEqual({ sum: 7 });
  });

  it("fails for good when a required step is missing, and says how to name it", async () => {
    const handler = defineHandler("reads", { depends: { order: validate } }, () => ({}));
    const result = await run(handler, { dependencies: { check: {} } });
    expect(result).toMatchObject({ retryable: false, errorCode: "DEPENDENCY_MISSING" });
    expect(result.errorMessage).toContain('depends.order reads step "orders.validate"');
    expect(result.errorMessage).toContain("(check)");
  });

  it("gives null for an optional step and a list for a prefix", async () => {
    const handler = defineHandler(
      "join",
      { depends: { maybe: optional(validate), workers: all(validate, "work_") } },
      ({ maybe, workers }) => ({ maybe, workers }),
    );
    const result = await run(handler, {
      dependencies: { work_001: { total: 1 }, work_002: { total: 2 }, other: {} },
    });
    expect(result.result).toEqual({ maybe: null, workers: [{ total: 1 }, { total: 2 }] });
  });

  it("checks a foreign step's result against a schema", async () => {
    const handler = defineHandler(
      "reads_python",
      { depends: { report: from(z.object({ rows: z.number() }), "report") } },
      ({ report }) => ({ rows: report.rows }),
    );
    expect((await run(handler, { dependencies: { report: { rows: 3 } } })).result).toEqual({
      rows: 3,
    });
    const bad = await run(handler, { dependencies: { report: { rows: "3" } } });
    expect(bad).toMatchObject({ retryable: false, errorCode: "DEPENDENCY_INVALID" });
    expect(bad.errorMessage).toContain("rows");
  });
});

describe("the other kinds", () => {
  it("routes and skips", async () => {
    const route = defineDecisionHandler("route", { version: "2.0.0" }, () =>
      Decision.route(["a", "b"], { score: 9 }),
    );
    expect(await run(route)).toMatchObject({
      result: {
        decision_point_outcome: { type: "create_steps", step_names: ["a", "b"] },
        routing_context: { score: 9 },
      },
      metadata: { decision_handler: "route", decision_version: "2.0.0" },
    });
    const skip = defineDecisionHandler("skip", {}, () => Decision.skip("nothing due"));
    expect((await run(skip)).result).toEqual({
      decision_point_outcome: { type: "no_branches" },
      reason: "nothing due",
    });
  });

  it("covers every item of a batch exactly once", async () => {
    const analyzer = defineBatchAnalyzer("analyze", { workerTemplate: "work" }, () => ({
      totalItems: 25,
      batchSize: 10,
      metadata: { source: "csv" },
    }));
    const result = await run(analyzer);
    expect(result.result).toEqual({
      batch_processing_outcome: {
        type: "create_batches",
        worker_template_name: "work",
        worker_count: 3,
        cursor_configs: [
          { batch_id: "batch_000", start_cursor: 0, end_cursor: 10, batch_size: 10 },
          { batch_id: "batch_001", start_cursor: 10, end_cursor: 20, batch_size: 10 },
          { batch_id: "batch_002", start_cursor: 20, end_cursor: 25, batch_size: 5 },
        ],
        total_items: 25,
      },
    });
    expect(result.metadata).toEqual({ batch_count: 3, total_items: 25, source: "csv" });
  });

  it("plans no worker for no items, and refuses an impossible batch size", async () => {
    const plan = (totalItems: number, batchSize: number): DefinedHandler =>
      defineBatchAnalyzer("analyze", { workerTemplate: "work" }, () => ({ totalItems, batchSize }));
    expect((await run(plan(0, 5))).result).toMatchObject({
      batch_processing_outcome: { worker_count: 0, cursor_configs: [] },
    });
    expect(await run(plan(5, 0))).toMatchObject({ success: false, retryable: false });
  });

  it("gives a batch worker its share and its checkpoint", async () => {
    const worker = defineBatchWorker("work", {}, ({ batchContext }) => ({
      id: batchContext?.batchId,
      from: batchContext?.checkpointCursor ?? batchContext?.startCursor,
      to: batchContext?.endCursor,
      noOp: batchContext?.isNoOp,
    }));
    const inputs = {
      cursor: { batch_id: "001", start_cursor: 0, end_cursor: 10, batch_size: 10 },
      is_no_op: false,
    };
    const checkpoint = { cursor: 4, items_processed: 4 };
    expect((await run(worker, { inputs, checkpoint })).result).toEqual({
      id: "001",
      from: 4,
      to: 10,
      noOp: false,
    });
    const plain = defineBatchWorker("work", {}, ({ batchContext }) => ({ none: batchContext }));
    expect((await run(plain)).result).toEqual({ none: null });
  });

  it("gives an API handler its base URL", async () => {
    const handler = defineApiHandler(
      "calls",
      { baseUrl: "http://localhost:1" },
      async ({ api }) => {
        try {
          await api.get("/");
        } catch (error) {
          return api.connectionError(error, "fetching");
        }
        return { reached: true };
      },
    );
    const result = await run(handler);
    expect(result).toMatchObject({ errorType: "connection_error", retryable: true });
    expect(result.errorMessage).toContain("Connection error while fetching:");
  });
});
