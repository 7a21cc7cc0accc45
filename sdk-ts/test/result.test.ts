import { describe, expect, it } from "vitest";
import {
  ErrorType,
  isStandardErrorType,
  isTypicallyRetryable,
  StepHandler,
  StepHandlerResult,
} from "../src/index.js";

describe("StepHandlerResult", () => {
  it("fills in what is not given", () => {
    expect(StepHandlerResult.success().toJSON()).toEqual({
      success: true,
      result: {},
      error_message: null,
      error_type: null,
      error_code: null,
      retryable: true,
      metadata: {},
      orchestration_metadata: null,
    });
    expect(StepHandlerResult.failure("no").toJSON()).toMatchObject({
      success: false,
      result: null,
      error_message: "no",
      error_type: "handler_error",
      retryable: true,
    });
  });

  it("knows which it is", () => {
    const failure = StepHandlerResult.failure("no", ErrorType.TIMEOUT, false, { a: 1 }, "E1");
    expect([failure.isSuccess(), failure.isFailure()]).toEqual([false, true]);
    expect(failure).toMatchObject({ errorType: "timeout", errorCode: "E1", metadata: { a: 1 } });
  });
});

describe("error types", () => {
  it("are the shared ones, of which two usually go away", () => {
    expect(Object.values(ErrorType).filter(isTypicallyRetryable)).toEqual([
      "retryable_error",
      "timeout",
    ]);
    expect(isStandardErrorType("validation_error")).toBe(true);
    expect(isStandardErrorType("rate_limited")).toBe(false);
  });
});

describe("StepHandler", () => {
  class Charge extends StepHandler {
    async call(): Promise<StepHandlerResult> {
      return this.failure("declined", "payment_error", false);
    }
  }

  it("is named by its class unless it says otherwise", async () => {
    class Named extends Charge {
      static override readonly handlerName = "payments.charge";
      static override readonly handlerVersion = "1.2.0";
    }
    expect(new Charge().name).toBe("Charge");
    expect(String(new Named())).toBe("Named(name=payments.charge, version=1.2.0)");
    expect([new Named().capabilities, new Named().configSchema()]).toEqual([["process"], null]);
    expect(await new Charge().call()).toMatchObject({
      errorType: "payment_error",
      retryable: false,
    });
  });
});
