import {
  defineHandler,
  RetryableError,
  type StepContext,
  StepHandlerResult,
} from "@tasker-core/sdk";
import { HandlerRegistry, ResolverChain } from "@tasker-core/sdk/host";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  CompletionChannel,
  FfiDispatchChannel,
  type StepDelivery,
  type StepOutcome,
  type StepSuccess,
  type StepYield,
} from "../../src/channels/index.js";
import { systemClock } from "../../src/lib/clock.js";
import { createDeferred } from "../../src/lib/deferred.js";
import {
  type HandlerDispatchOptions,
  HandlerDispatchService,
} from "../../src/worker/handler-dispatch-service.js";
import { type DeliveryParts, delivery } from "./support/delivery.js";

let completions: CompletionChannel;
let channel: FfiDispatchChannel;
let registry: HandlerRegistry;
let service: HandlerDispatchService;
const log = vi.fn();

beforeEach(() => {
  log.mockClear();
  completions = new CompletionChannel({ capacity: 1_000 });
  channel = new FfiDispatchChannel({
    pool: "typescript",
    capacity: 100,
    completions,
    clock: systemClock,
  });
  registry = new HandlerRegistry(ResolverChain.standard());
});

afterEach(async () => {
  await service.stop({ graceMs: 0 });
});

function start(options: Partial<HandlerDispatchOptions> = {}): void {
  service = new HandlerDispatchService({
    source: channel,
    registry,
    workerName: "worker-1",
    log,
    ...options,
  });
  service.start();
}

function define(
  name: string,
  fn: (args: { signal: AbortSignal; input: unknown; context: StepContext }) => unknown,
): void {
  registry.register(
    name,
    defineHandler(name, {}, ({ signal, context }) =>
      fn({ signal, input: context.inputData, context }),
    ),
  );
}

function offer(parts: DeliveryParts = {}): StepDelivery {
  const offered = delivery(parts);
  expect(channel.offer(offered)).toBe(true);
  return offered;
}

/** The next `count` outcomes, in order of completion. */
async function outcomes(count: number): Promise<(StepOutcome | StepYield)[]> {
  const taken: (StepOutcome | StepYield)[] = [];
  await vi.waitFor(
    () => {
      taken.push(...completions.takeAll().map(({ outcome }) => outcome));
      expect(taken.length).toBeGreaterThanOrEqual(count);
    },
    { timeout: 10_000, interval: 2 },
  );
  return taken;
}

const text = (bytes: Uint8Array | null): unknown =>
  bytes === null ? null : JSON.parse(Buffer.from(bytes).toString());

describe("HandlerDispatchService", () => {
  it("answers with the result's JSON and its metadata, for work offered before and after the start", async () => {
    define("echo", ({ input }) => StepHandlerResult.success({ input }, { source: "test" }));
    offer({ context: { n: 1 } });
    start();
    offer({ context: { n: 2 } });
    const [first, second] = await outcomes(2);
    expect(first).toMatchObject({ outcome: "success", resultKind: "success" });
    if (first?.outcome !== "success" || second?.outcome !== "success") throw new Error("failed");
    expect(text(first.value)).toEqual({ input: { n: 1 } });
    expect(text(first.detail)).toEqual({ metadata: { source: "test" } });
    expect(text(second.value)).toEqual({ input: { n: 2 } });
    expect(service.stats).toMatchObject({ processed: 2, failed: 0, abandoned: 0 });
  });

  it("names its worker and passes failures on in full", async () => {
    define("fails", () => {
      throw new RetryableError("busy", {}, { retryAfterSeconds: 1.5, errorCode: "BUSY" });
    });
    start();
    offer({ callable: "fails" });
    await vi.waitFor(() => expect(completions.size).toBe(1));
    const [completion] = completions.takeAll();
    expect(completion?.workerName).toBe("worker-1");
    expect(completion?.outcome).toMatchObject({
      outcome: "failure",
      kind: "handler",
      errorType: "retryable_error",
      errorCode: "BUSY",
      message: "busy",
      retryable: true,
      retryAfterMs: 1_500,
    });
    expect(service.stats).toMatchObject({ processed: 1, failed: 1 });
  });

  it("fails an unknown handler and an unreadable event for good", async () => {
    start();
    offer({ callable: "nobody" });
    offer({
      value: () => {
        throw new SyntaxError("Unexpected token");
      },
    });
    const taken = await outcomes(2);
    expect(taken).toContainEqual(
      expect.objectContaining({ kind: "handler_not_found", message: "Handler not found: nobody" }),
    );
    expect(taken).toContainEqual(
      expect.objectContaining({ errorType: "FFI_SERIALIZATION_ERROR", retryable: false }),
    );
  });

  it("runs at most `maxConcurrent` handlers and leaves the rest in the channel", async () => {
    const release = createDeferred<void>();
    let running = 0;
    let most = 0;
    define("slow", async () => {
      running++;
      most = Math.max(most, running);
      await release.promise;
      running--;
    });
    start({ maxConcurrent: 3 });
    for (let index = 0; index < 8; index++) offer({ callable: "slow" });
    await vi.waitFor(() => expect(running).toBe(3));
    expect(channel.queued.shared).toBe(5);
    expect(service.stats.active).toBe(3);
    release.resolve();
    await outcomes(8);
    expect(most).toBe(3);
  });

  it("ends an attempt at its deadline, keeps the slot until the handler returns, discards its result", async () => {
    const release = createDeferred<void>();
    const aborted = vi.fn();
    define("stubborn", async ({ signal }) => {
      signal.addEventListener("abort", () => aborted(signal.reason));
      await release.promise;
      return { late: true };
    });
    define("echo", () => ({ ok: true }));
    start({ maxConcurrent: 1 });
    offer({ callable: "stubborn", timeoutMs: 20 });
    offer({ callable: "echo" });
    const [timedOut] = await outcomes(1);
    expect(timedOut).toMatchObject({
      kind: "timeout",
      errorType: "handler_timeout",
      retryable: true,
      message: "Handler execution timed out after 20ms",
    });
    expect(aborted).toHaveBeenCalledWith(expect.objectContaining({ reason: "timeout" }));
    await vi.waitFor(() => expect(service.stats).toMatchObject({ abandoned: 1, active: 0 }));
    expect(channel.queued.shared).toBe(1);
    release.resolve();
    const rest = await outcomes(1);
    expect(rest).toEqual([expect.objectContaining({ outcome: "success" })]);
    expect(service.stats).toMatchObject({ abandoned: 0, processed: 2, failed: 1 });
  });

  it("stops a handler whose delivery is cancelled", async () => {
    define(
      "waits",
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    start();
    const cancelled = offer({ callable: "waits" });
    await vi.waitFor(() => expect(channel.isHeld(cancelled.deliveryId)).toBe(true));
    channel.cancel(cancelled.deliveryId, "task_cancelled");
    expect((await outcomes(1))[0]).toMatchObject({ outcome: "failure", kind: "cancelled" });
  });

  it("gives a step back uncounted when it stops because the lease was lost", async () => {
    define(
      "waits",
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    start();
    const lost = offer({ callable: "waits" });
    await vi.waitFor(() => expect(channel.isHeld(lost.deliveryId)).toBe(true));
    channel.cancel(lost.deliveryId, "lease_lost");
    expect((await outcomes(1))[0]).toMatchObject({ outcome: "lost", reason: "drained" });
    expect(service.stats.processed).toBe(0);
  });

  it("runs a solo delivery alone", async () => {
    const release = createDeferred<void>();
    const running = new Set<string>();
    const together: string[][] = [];
    for (const name of ["shared", "solo"]) {
      define(name, async () => {
        running.add(name);
        together.push([...running]);
        await release.promise;
        running.delete(name);
      });
    }
    start({ maxConcurrent: 5 });
    offer({ callable: "shared" });
    offer({ callable: "solo", solo: true });
    offer({ callable: "shared" });
    await vi.waitFor(() => expect(service.stats.active).toBe(2));
    expect(channel.queued.solo).toBe(1);
    release.resolve();
    await outcomes(3);
    expect(together.filter((names) => names.includes("solo"))).toEqual([["solo"]]);
  });

  it("lets running handlers finish when it stops, and takes nothing more", async () => {
    const release = createDeferred<void>();
    define("slow", async () => {
      await release.promise;
      return { done: true };
    });
    start({ maxConcurrent: 1 });
    offer({ callable: "slow" });
    offer({ callable: "slow" });
    await vi.waitFor(() => expect(service.stats.active).toBe(1));
    const stopped = service.stop({ graceMs: 10_000 });
    release.resolve();
    await stopped;
    expect(completions.takeAll().map(({ outcome }) => outcome.outcome)).toEqual(["success"]);
    expect(channel.queued.shared).toBe(1);
  });

  it("gives back what does not finish within the grace", async () => {
    const release = createDeferred<void>();
    define("slow", async ({ signal }) => {
      await release.promise;
      return { aborted: signal.aborted };
    });
    start();
    offer({ callable: "slow" });
    await vi.waitFor(() => expect(service.stats.active).toBe(1));
    await service.stop({ graceMs: 5 });
    expect(completions.takeAll().map(({ outcome }) => outcome)).toMatchObject([
      { outcome: "lost", reason: "drained" },
    ]);
    release.resolve();
    await vi.waitFor(() => expect(service.stats.active).toBe(0));
    expect(completions.size).toBe(0);
    expect(service.stats.processed).toBe(0);
  });

  it("waits for room in the completion channel before it takes more", async () => {
    completions = new CompletionChannel({ capacity: 1 });
    channel = new FfiDispatchChannel({
      pool: "typescript",
      capacity: 100,
      completions,
      clock: systemClock,
    });
    define("echo", () => ({ ok: true }));
    start({ maxConcurrent: 2 });
    for (let index = 0; index < 6; index++) offer();
    await vi.waitFor(() => expect(completions.waitingCount).toBe(2));
    expect(channel.queued.shared).toBe(3);
    expect(await outcomes(6)).toHaveLength(6);
  });

  it("refuses results and checkpoints over the limit", async () => {
    const big = { text: "x".repeat(2_000) };
    define("big", () => big);
    define("yields", () =>
      StepHandlerResult.success(
        { cursor: 5, items_processed: 5, accumulated_results: big },
        { checkpoint_yield: true },
      ),
    );
    start({ maxResultBytes: 1_000 });
    offer({ callable: "big" });
    offer({ callable: "yields" });
    const refusal = expect.objectContaining({ kind: "payload_too_large", retryable: false });
    expect(await outcomes(2)).toEqual([refusal, refusal]);
  });

  it("keeps the slot of a yielding step until the checkpoint is stored", async () => {
    define("yields", ({ context }) =>
      context.hasCheckpoint()
        ? { from: context.checkpointCursor }
        : StepHandlerResult.success(
            { cursor: { id: 7 }, items_processed: 5, accumulated_results: { sum: 1.5 } },
            { checkpoint_yield: true },
          ),
    );
    define("echo", () => ({ ok: true }));
    start({ maxConcurrent: 1 });
    const yielding = offer({ callable: "yields" });
    offer({ callable: "echo" });
    await vi.waitFor(() => expect(completions.size).toBe(1));
    const [completion] = completions.takeAll();
    expect(completion?.outcome).toMatchObject({ outcome: "yield", itemsProcessed: 5 });
    expect([channel.pendingCount, channel.queued.shared]).toEqual([2, 1]);

    const next = {
      ...yielding,
      deliveryId: "goes-on",
      payload: yielding.payload.withCheckpoint('{"cursor":{"id":7},"items_processed":5}'),
    };
    expect(channel.resume(yielding.deliveryId, next)).toBe(true);
    completion?.settled("committed");
    const [first, second] = await outcomes(2);
    expect(text((first as StepSuccess).value)).toEqual({ from: { id: 7 } });
    expect(text((second as StepSuccess).value)).toEqual({ ok: true });
  });

  it("answers everything once and gives every slot back, whatever handlers do", async () => {
    define("mixed", async ({ signal, input }) => {
      const { n } = input as { n: number };
      if (n % 5 === 0) throw new Error("five");
      if (n % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 15)); // past its deadline
      if (n % 3 === 0) {
        await new Promise((resolve) => {
          signal.addEventListener("abort", resolve);
          setTimeout(resolve, 3);
        });
      }
      return { n };
    });
    start({ maxConcurrent: 8 });
    const answered: string[] = [];
    for (let n = 1; n <= 600; n++) {
      while (channel.free === 0) await new Promise(setImmediate);
      const offered = offer({ callable: "mixed", context: { n }, timeoutMs: 10 });
      if (n % 4 === 0) {
        setImmediate(() =>
          channel.cancel(offered.deliveryId, n % 8 ? "task_cancelled" : "lease_lost"),
        );
      }
      answered.push(...completions.takeAll().map(({ delivery: { deliveryId } }) => deliveryId));
    }
    await vi.waitFor(() => expect(channel.pendingCount).toBe(0), { timeout: 10_000 });
    answered.push(...completions.takeAll().map(({ delivery: { deliveryId } }) => deliveryId));
    expect(new Set(answered).size).toBe(600);
    expect(answered).toHaveLength(600);
    await vi.waitFor(() => expect(service.stats).toMatchObject({ active: 0, abandoned: 0 }));
  });
});
