import { beforeEach, describe, expect, it, vi } from "vitest";
import { executeStep, HandlerRegistry, ResolverChain, type StepExecution } from "../src/host.js";
import {
  BatchableMixin,
  type ExecutableHandler,
  RetryableError,
  type StepContext,
  StepHandler,
  StepHandlerResult,
} from "../src/index.js";
import { type EventParts, stepEvent } from "./support/step-event.js";

let registry: HandlerRegistry;

beforeEach(() => {
  registry = new HandlerRegistry(ResolverChain.standard());
});

type Call = (context: StepContext) => unknown;

/** Registers a class handler whose `call` is the function given, and runs it. */
function run(call: Call, parts: EventParts = {}, options = {}): Promise<StepExecution> {
  class Handler extends StepHandler {
    static override readonly handlerName = "charge";
    override async call(context: StepContext): Promise<StepHandlerResult> {
      return (await call(context)) as StepHandlerResult;
    }
  }
  registry.register("charge", Handler);
  return executeStep(stepEvent(parts), registry, options);
}

const detail = (execution: StepExecution): unknown =>
  execution.outcome === "checkpoint" || execution.detailJson === null
    ? null
    : JSON.parse(execution.detailJson);

describe("a success", () => {
  it("carries the result's JSON, and a detail only when there is one", async () => {
    expect(await run(() => StepHandlerResult.success({ total: 1.5 }))).toMatchObject({
      outcome: "success",
      valueJson: '{"total":1.5}',
      detailJson: null,
      resultKind: "success",
    });
    const detailed = await run(
      () =>
        new StepHandlerResult({
          success: true,
          result: [1],
          metadata: { a: 1 },
          orchestrationMetadata: {
            headers: { "x-a": "1" },
            backoffHint: { backoffType: "RateLimit", delaySeconds: 3 },
          },
        }),
    );
    expect(detailed).toMatchObject({ valueJson: "[1]" });
    expect(detail(detailed)).toEqual({
      metadata: { a: 1 },
      orchestration_metadata: {
        headers: { "x-a": "1" },
        backoff_hint: { backoff_type: "RateLimit", delay_seconds: 3, context: null },
      },
    });
  });

  it("of nothing is an empty object", async () => {
    expect(await run(() => undefined)).toMatchObject({ outcome: "success", valueJson: "{}" });
    expect(await run(() => StepHandlerResult.success(undefined))).toMatchObject({
      valueJson: "{}",
    });
  });

  it("says when it is a decision or a batch plan", async () => {
    expect(await run(() => ({ decision_point_outcome: { type: "no_branches" } }))).toMatchObject({
      resultKind: "decision",
    });
    expect(await run(() => ({ batch_processing_outcome: { type: "no_batches" } }))).toMatchObject({
      resultKind: "batch_plan",
    });
  });

  it("that JSON cannot carry fails for good and names the place", async () => {
    expect(await run(() => ({ rows: [{ price: Number.NaN }] }))).toMatchObject({
      outcome: "failure",
      kind: "invalid_result",
      errorType: "invalid_result",
      retryable: false,
      message: "The handler's result at $.rows[0].price cannot be stored: NaN is not a JSON number",
    });
    expect(await run(() => StepHandlerResult.success({}, { big: 1n }))).toMatchObject({
      kind: "invalid_result",
      message: expect.stringContaining("$.metadata.big"),
    });
  });

  it("may be a yielded checkpoint instead", async () => {
    const yielded = await run(() => new BatchableMixin().checkpointYield(40, 40, { sum: 2 }));
    expect(yielded).toMatchObject({
      outcome: "checkpoint",
      cursorJson: "40",
      itemsProcessed: 40,
      accumulatedResultsJson: '{"sum":2}',
    });
  });
});

describe("a failure", () => {
  it("is passed on with its status code and the server's wish to wait", async () => {
    const failed = await run(() =>
      StepHandlerResult.failure("HTTP 429", "rate_limited", true, {
        status_code: 429,
        retry_after_seconds: 7,
      }),
    );
    expect(failed).toMatchObject({
      kind: "handler",
      errorType: "rate_limited",
      statusCode: 429,
      retryAfterMs: 7_000,
    });
    expect(detail(failed)).toEqual({ metadata: { status_code: 429, retry_after_seconds: 7 } });
  });

  it("prefers the handler's own delay", async () => {
    const thrown = await run(() => {
      throw new RetryableError("later", { retryAfterSeconds: 2 });
    });
    expect(thrown).toMatchObject({ errorType: "retryable_error", retryAfterMs: 2_000 });
    expect(detail(thrown)).toMatchObject({
      backtrace: expect.arrayContaining([expect.stringMatching(/^at /)]),
    });
  });

  it("of an escaped exception carries its constructor's name and is retryable", async () => {
    const failed = await run(() => {
      throw new TypeError("x is undefined");
    });
    expect(failed).toMatchObject({
      kind: "handler",
      errorType: "TypeError",
      message: "x is undefined",
      retryable: true,
    });
    expect(detail(failed)).toMatchObject({
      metadata: { traceback: expect.stringContaining("TypeError: x is undefined") },
    });
  });

  it("survives whatever was thrown or returned", async () => {
    expect(
      await run(() => {
        throw "just text";
      }),
    ).toMatchObject({ message: "just text", errorType: "string" });
    const unstorable = await run(() =>
      StepHandlerResult.failure(`bad\u0000${"x".repeat(20_000)}`, "custom", false, { n: 1n }),
    );
    if (unstorable.outcome !== "failure") throw new Error("expected a failure");
    expect(unstorable.message.startsWith("bad\ufffdx")).toBe(true);
    expect(unstorable.message.length).toBeLessThan(8_192);
    expect(detail(unstorable)).toEqual({
      metadata: { metadata_dropped: expect.stringContaining("$.metadata.n: a BigInt") },
    });
    const hostile = StepHandlerResult.failure("x");
    Object.defineProperty(hostile, "errorMessage", {
      get: () => {
        throw new Error("hostile");
      },
    });
    expect(await run(() => hostile)).toMatchObject({ kind: "invalid_result" });
  });
});

describe("finding the handler", () => {
  it("fails for good when the template names none, or nobody registered it", async () => {
    expect(await executeStep(stepEvent({ callable: "" }), registry)).toMatchObject({
      errorType: "permanent_error",
      retryable: false,
    });
    expect(await executeStep(stepEvent({ callable: "Nobody" }), registry)).toMatchObject({
      kind: "handler_not_found",
      errorType: "handler_not_found",
      message: "Handler not found: Nobody",
      retryable: false,
    });
  });

  it("calls the method the template names, or `call` with a warning", async () => {
    class Multi extends StepHandler {
      async call(): Promise<StepHandlerResult> {
        return this.success({ ran: "call" });
      }
      async refund(): Promise<StepHandlerResult> {
        return this.success({ ran: "refund" });
      }
    }
    registry.register("charge", Multi);
    const log = vi.fn();
    const refund = await executeStep(stepEvent({ method: "refund" }), registry, { log });
    expect(refund).toMatchObject({ valueJson: '{"ran":"refund"}' });
    expect(log).not.toHaveBeenCalled();
    const missing = await executeStep(stepEvent({ method: "toString" }), registry, { log });
    expect(missing).toMatchObject({ valueJson: '{"ran":"call"}' });
    expect(log).toHaveBeenCalledWith("warn", expect.stringContaining("lacks the method"), {
      handler: "charge",
      method: "toString",
    });
  });

  it("passes over a resolver nobody registered, and uses a registered one", async () => {
    const log = vi.fn();
    const plain = await run(() => ({ by: "name" }), { resolver: "service_locator" }, { log });
    expect(plain).toMatchObject({ valueJson: '{"by":"name"}' });
    expect(log).toHaveBeenCalledWith(
      "warn",
      expect.stringContaining("resolver"),
      expect.anything(),
    );
    const found: ExecutableHandler = {
      name: "found",
      call: async () => StepHandlerResult.success({ by: "resolver" }),
    };
    registry.addResolver({
      name: "service_locator",
      priority: 50,
      canResolve: () => true,
      resolve: async () => found,
    });
    const resolved = await executeStep(stepEvent({ resolver: "service_locator" }), registry);
    expect(resolved).toMatchObject({ valueJson: '{"by":"resolver"}' });
  });

  it("fails the step when a resolver or a constructor throws", async () => {
    class Broken extends StepHandler {
      constructor() {
        super();
        throw new RangeError("no configuration");
      }
      async call(): Promise<StepHandlerResult> {
        return this.success();
      }
    }
    registry.register("charge", Broken);
    expect(await executeStep(stepEvent(), registry)).toMatchObject({
      outcome: "failure",
      errorType: "RangeError",
      message: "no configuration",
    });
  });
});

describe("time", () => {
  it("ends an attempt at its deadline and reports the handler that still runs", async () => {
    let release = (): void => {};
    const onAbandoned = vi.fn<(returned: Promise<void>) => void>();
    let seen: AbortSignal | undefined;
    const execution = await run(
      (context) => {
        seen = context.signal;
        return new Promise((resolve) => {
          release = () => resolve({ late: true });
        });
      },
      {},
      { handlerTimeoutMs: 15, onAbandoned },
    );
    expect(execution).toMatchObject({
      kind: "timeout",
      errorType: "handler_timeout",
      retryable: true,
      message: "Handler execution timed out after 15ms",
    });
    expect(seen?.aborted).toBe(true);
    expect(onAbandoned).toHaveBeenCalledOnce();
    const returned = onAbandoned.mock.calls[0]?.[0];
    release();
    await returned;
  });

  it("gives a cancelled handler its grace, and takes its word when it uses it", async () => {
    const controller = new AbortController();
    const running = run(
      (context) =>
        new Promise((resolve) => {
          context.signal.addEventListener("abort", () => resolve({ cleanedUp: true }));
          controller.abort();
        }),
      {},
      { signal: controller.signal },
    );
    expect(await running).toMatchObject({ outcome: "success", valueJson: '{"cleanedUp":true}' });
  });

  it("ends a cancelled handler that ignores it after the grace", async () => {
    const controller = new AbortController();
    controller.abort();
    let release = (): void => {};
    const execution = await run(
      (context) => {
        expect(context.cancelled).toBe(true);
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      {},
      { signal: controller.signal, cancelGraceMs: 5 },
    );
    release();
    expect(execution).toMatchObject({ kind: "cancelled", retryable: true });
  });
});
