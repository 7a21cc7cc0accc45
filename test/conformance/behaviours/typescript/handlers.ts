/** The TypeScript third of the parity table; Python and Ruby have handlers of the same names. */
import { defineHandler, PermanentError, RetryableError, StepHandlerResult } from "@tasker-core/sdk";

type Input = Readonly<Record<string, unknown>>;

const VALUES: Readonly<Record<string, () => unknown>> = {
  big_integer: () => 9007199254740993n,
  whole_float: () => 3.0,
  small_float: () => 0.1,
  large_float: () => 1e16,
  unicode: () => "größe 漢字 😀 \u2028",
  lone_surrogate: () => "a\ud800b",
  nul: () => "a\u0000b",
  nan: () => Number.NaN,
  infinity: () => Number.POSITIVE_INFINITY,
  date: () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
  function: () => () => undefined,
  deep: () => Array.from({ length: 100 }).reduce<unknown>((inner) => [inner], 0),
};

class Nested extends Error {
  override readonly name = "OutOfStock";
}

export const behaviours = {
  "parity.echo": defineHandler("parity.echo", {}, ({ context }) => context.inputData),
  "parity.nothing": defineHandler("parity.nothing", {}, () => undefined),
  "parity.value": defineHandler("parity.value", {}, ({ context }) => ({
    value: VALUES[context.getInput<string>("kind") ?? ""]?.(),
  })),
  "parity.raise": defineHandler("parity.raise", {}, ({ context }) => {
    const message = context.getInputOr("message", "as asked");
    switch (context.getInput("kind")) {
      case "permanent":
        throw new PermanentError(message, { errorCode: "E42" });
      case "retryable":
        throw new RetryableError(message);
      case "nested":
        throw new PermanentError(message, { cause: new Nested("the shelf is empty") });
      default:
        throw new Error(message);
    }
  }),
  "parity.flaky": defineHandler("parity.flaky", {}, ({ context }) => {
    if (context.retryCount === 0) throw new RetryableError("not yet");
    const { retryCount } = context;
    return { retry_count: retryCount, is_retry: context.isRetry(), is_last: context.isLastRetry() };
  }),
  "parity.read": defineHandler("parity.read", {}, ({ context }) => ({
    given: context.getInput("given") ?? null,
    missing: context.getInput("missing") ?? null,
    missing_or: context.getInputOr("missing", "default"),
    config: context.getConfig("limit") ?? null,
    dependency: context.getDependencyResult("first") ?? null,
    no_dependency: context.getDependencyResult("nobody") ?? null,
    field: context.getDependencyField("first", "deep", "er") ?? null,
    names: context.getDependencyResultKeys(),
    has_ids: [context.taskUuid, context.stepUuid, context.correlationId].every(
      (id) => id.length === 36,
    ),
    retry_count: context.retryCount,
    max_retries: context.maxRetries,
  })),
  "parity.default": defineHandler("parity.default", {}, ({ context }) => ({
    value: context.getInputOr("nothing", "default"),
  })),
  "parity.sleep": defineHandler("parity.sleep", {}, async ({ context }) => {
    const ms = Number((context.inputData as Input)["ms"] ?? 0);
    await new Promise<void>((settle, reject) => {
      const timer = setTimeout(settle, ms);
      context.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(new RetryableError("stopped"));
      });
    });
    return { slept: true };
  }),
  "parity.log": defineHandler("parity.log", {}, ({ context }) => {
    context.logger.info("parity", { index: 1 });
    context.logger.warn("parity", { nothing: null });
    return { logged: 2 };
  }),
  "parity.cursor": defineHandler("parity.cursor", {}, ({ context }) => {
    const { items = 3 } = context.inputData as { items?: number };
    const done = context.checkpointCursor === null ? 0 : Number(context.checkpointCursor);
    const seen = [...((context.accumulatedResults?.["seen"] as number[] | undefined) ?? []), done];
    if (done < items) {
      return StepHandlerResult.success(
        { cursor: done + 1, items_processed: done + 1, accumulated_results: { seen } },
        { checkpoint_yield: true },
      );
    }
    return { seen, processed: context.checkpointItemsProcessed };
  }),
};
