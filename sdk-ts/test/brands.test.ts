/** A second copy of the package, as a handler project may bring it. */
import { describe, expect, it } from "vitest";
import { isPermanentError, isRetryableError } from "../src/errors.js";
import { collectHandlers, executeStep, HandlerRegistry, ResolverChain } from "../src/host.js";
import { PermanentError, StepCancelledError } from "../src/index.js";
import { isStepHandlerResult } from "../src/result.js";
import { stepEvent } from "./support/step-event.js";

// The query makes the module loader evaluate the files again.
const other = {
  errors: (await import("../src/errors.js?copy" as string)) as typeof import("../src/errors.js"),
  result: (await import("../src/result.js?copy" as string)) as typeof import("../src/result.js"),
};

describe("two copies of the package in one process", () => {
  it("are really two", () => {
    expect(other.errors.PermanentError).not.toBe(PermanentError);
  });

  it("recognise each other's errors and results", () => {
    expect(isPermanentError(new other.errors.PermanentError("x"))).toBe(true);
    expect(isRetryableError(new other.errors.RetryableError("x"))).toBe(true);
    expect(isRetryableError(new other.errors.PermanentError("x"))).toBe(false);
    expect(isPermanentError(new Error("x"))).toBe(false);
    expect(isStepHandlerResult(other.result.StepHandlerResult.success({}))).toBe(true);
    expect(isStepHandlerResult({ success: true })).toBe(false);
  });

  it("know the reason of an aborted signal, whichever of them made it", async () => {
    const copy = (await import(
      "../src/cancellation.js?copy" as string
    )) as typeof import("../src/cancellation.js");
    const cancellation = new copy.Cancellation();
    cancellation.cancel("task_cancelled");
    expect(copy.StepCancelledError).not.toBe(StepCancelledError);
    expect(cancellation.signal.reason).toBeInstanceOf(StepCancelledError);
    expect(new Error("x")).not.toBeInstanceOf(StepCancelledError);
  });

  it("run each other's handlers", async () => {
    class Foreign {
      static handlerName = "foreign";
      static handlerVersion = "1.0.0";
      readonly name = "foreign";
      async call() {
        throw new other.errors.PermanentError("card stolen", {}, { errorCode: "STOLEN" });
      }
    }
    const registry = new HandlerRegistry(ResolverChain.standard());
    for (const handler of collectHandlers({ Foreign })) registry.register("foreign", handler);
    expect(await executeStep(stepEvent({ callable: "foreign" }), registry)).toMatchObject({
      outcome: "failure",
      errorType: "permanent_error",
      errorCode: "STOLEN",
      retryable: false,
    });
  });

  it("keep subclasses recognisable", () => {
    class CardDeclined extends other.errors.PermanentError {}
    const error = new CardDeclined("no");
    expect([isPermanentError(error), error.name]).toEqual([true, "CardDeclined"]);
  });
});
