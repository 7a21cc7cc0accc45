import { describe, expect, it } from "vitest";
import { Cancellation, StepCancelledError } from "../src/cancellation.js";
import { StepContext } from "../src/context.js";
import { type EventParts, stepEvent } from "./support/step-event.js";

const contextOf = (parts: EventParts = {}): StepContext =>
  StepContext.fromFfiEvent(stepEvent(parts), "charge");

describe("StepContext", () => {
  it("takes its values from the event", () => {
    const context = contextOf({
      context: { card: "4242" },
      inputs: { batch: 1 },
      initialization: { currency: "EUR" },
      attempts: 2,
    });
    expect(context).toMatchObject({
      taskUuid: "0190a000-0000-7000-8000-000000000001",
      stepUuid: "0190a000-0000-7000-8000-000000000002",
      correlationId: "c1",
      handlerName: "charge",
      inputData: { card: "4242" },
      stepConfig: { currency: "EUR" },
      stepInputs: { batch: 1 },
      retryCount: 2,
      maxRetries: 3,
      attempt: 3,
      idempotencyKey: "0190a000-0000-7000-8000-000000000002",
    });
    expect(context.getConfig("currency")).toBe("EUR");
  });

  it("has defaults for a first run", () => {
    const context = contextOf();
    expect(context).toMatchObject({ stepInputs: {}, retryCount: 0, attempt: 1, checkpoint: null });
    expect(context.isRetry()).toBe(false);
  });

  it("uses an input's default for a missing key only", () => {
    const context = contextOf({ context: { empty: null } });
    expect(context.getInputOr("missing", 7)).toBe(7);
    expect(context.getInputOr("empty", 7)).toBeNull();
    expect(context.getInput("constructor")).toBeUndefined();
  });

  it("unwraps dependency results", () => {
    const dependencies = { validate: { a: { b: [1] } }, work_1: { n: 1 }, work_2: null };
    const context = contextOf({ dependencies });
    expect(context.getDependencyResult("validate")).toEqual({ a: { b: [1] } });
    expect(context.getDependencyResult("missing")).toBeNull();
    expect(context.getDependencyResult("toString")).toBeNull();
    expect(context.getDependencyField("validate", "a", "b")).toEqual([1]);
    expect(context.getDependencyField("validate", "a", "x", "y")).toBeNull();
    expect(context.getDependencyResultKeys()).toEqual(["validate", "work_1", "work_2"]);
    expect(context.getAllDependencyResults("work_")).toEqual([{ n: 1 }]);
  });

  it("gives a stored value without envelope as it is", () => {
    const base = contextOf();
    const context = new StepContext({ ...base, dependencyResults: { raw: { total: 1 }, n: 5 } });
    expect(context.getDependencyResult("raw")).toEqual({ total: 1 });
    expect(context.getDependencyResult("n")).toBe(5);
  });

  it.each([
    [null, false],
    [1, false],
    [2, true],
    [3, true],
  ])("after %s attempts of 3, is the last retry: %s", (attempts, expected) => {
    expect(contextOf({ attempts }).isLastRetry()).toBe(expected);
  });

  it("reads the checkpoint", () => {
    const checkpoint = { cursor: 40, items_processed: 40, accumulated_results: { sum: 3 } };
    const context = contextOf({ checkpoint });
    expect(context.hasCheckpoint()).toBe(true);
    expect(context.checkpointCursor).toBe(40);
    expect(context.checkpointItemsProcessed).toBe(40);
    expect(context.accumulatedResults).toEqual({ sum: 3 });
    const none = contextOf();
    expect([none.hasCheckpoint(), none.checkpointCursor, none.checkpointItemsProcessed]).toEqual([
      false,
      null,
      0,
    ]);
  });

  it("logs with the step's identity", () => {
    const records: unknown[] = [];
    const context = StepContext.fromFfiEvent(stepEvent(), "charge", {
      cancellation: new Cancellation(),
      log: (level, message, fields) => records.push([level, message, fields]),
    });
    context.logger.info("charged", { amount: 3 });
    expect(records).toEqual([
      ["info", "charged", expect.objectContaining({ amount: 3, handler: "charge", attempt: 1 })],
    ]);
  });

  it("aborts its signal with the reason, whenever the signal is first asked for", () => {
    const cancellation = new Cancellation();
    const runtime = { cancellation, log: () => {} };
    const early = StepContext.fromFfiEvent(stepEvent(), "charge", runtime).signal;
    expect(early.aborted).toBe(false);
    cancellation.cancel("lease_lost");
    cancellation.cancel("shutdown");
    expect(early.reason).toBeInstanceOf(StepCancelledError);
    expect(early.reason.reason).toBe("lease_lost");
    const late = new Cancellation();
    late.cancel("timeout");
    expect(late.signal.aborted).toBe(true);
  });
});
