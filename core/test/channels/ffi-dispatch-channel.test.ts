import { beforeEach, describe, expect, it } from "vitest";
import {
  CompletionChannel,
  FfiDispatchChannel,
  type StepCompletion,
  type StepSuccess,
} from "../../src/channels/index.js";
import { isTaskerError } from "../../src/errors/index.js";
import { createDelivery } from "../support/deliveries.js";
import { ManualClock } from "../support/manual-clock.js";

const success: StepSuccess = {
  outcome: "success",
  value: Buffer.from("1"),
  detail: null,
  executionMs: 1,
  resultKind: "success",
};

let clock: ManualClock;
let completions: CompletionChannel;
let channel: FfiDispatchChannel;

beforeEach(() => {
  clock = new ManualClock();
  completions = new CompletionChannel({ capacity: 2 });
  channel = createChannel(4);
});

function createChannel(capacity: number): FfiDispatchChannel {
  return new FfiDispatchChannel({
    pool: "default",
    capacity,
    completions,
    clock,
    starvationWarningMs: 100,
  });
}

function offered(overrides: Parameters<typeof createDelivery>[0] = {}) {
  const delivery = createDelivery(overrides);
  expect(channel.offer(delivery)).toBe(true);
  return delivery;
}

function outcomes(): unknown[] {
  return completions.takeAll().map((completion) => completion.outcome);
}

describe("offer and poll", () => {
  it("is first in, first out, and never waits", () => {
    const a = offered();
    const b = offered();
    expect([channel.poll(), channel.poll(), channel.poll()]).toEqual([a, b, undefined]);
  });

  it("refuses what does not fit, and the same delivery twice", () => {
    const [first] = [offered(), offered(), offered(), offered()];
    expect(channel.free).toBe(0);
    expect(channel.offer(createDelivery())).toBe(false);
    const roomy = createChannel(10);
    expect(roomy.offer(first!)).toBe(true);
    expect(roomy.offer(first!)).toBe(false);
  });

  it("counts held deliveries until they are answered", async () => {
    const delivery = offered();
    channel.poll();
    expect([channel.free, channel.pendingCount]).toEqual([3, 1]);
    await channel.complete(delivery.deliveryId, success, "w");
    expect([channel.free, channel.pendingCount]).toEqual([4, 0]);
  });

  it("gives solo deliveries only to those who can run them", () => {
    const solo = offered({ solo: true });
    const shared = offered();
    expect(channel.queued).toEqual({ shared: 1, solo: 1 });
    expect(channel.poll("shared")).toBe(shared);
    expect(channel.poll("shared")).toBeUndefined();
    expect(channel.poll("solo")).toBe(solo);
  });

  it("tells of arrivals, and serves a waiting poll first", async () => {
    let arrivals = 0;
    channel.onArrival(() => arrivals++);
    const waiting = channel.pollAsync(AbortSignal.timeout(5000));
    const first = offered();
    expect(await waiting).toBe(first);
    expect(arrivals).toBe(0);
    offered();
    expect(arrivals).toBe(1);
  });

  it("a poll that has been aborted takes nothing", async () => {
    const controller = new AbortController();
    const waiting = channel.pollAsync(controller.signal);
    controller.abort(new Error("enough"));
    const delivery = offered();
    await expect(waiting).rejects.toThrow("enough");
    expect(channel.poll()).toBe(delivery);
  });
});

describe("complete", () => {
  it("is true once, and false for what is not held", async () => {
    const delivery = offered();
    expect(await channel.complete(delivery.deliveryId, success, "w")).toBe(false); // still queued
    channel.poll();
    expect(await channel.complete(delivery.deliveryId, success, "w")).toBe(true);
    expect(await channel.complete(delivery.deliveryId, success, "w")).toBe(false);
    expect(await channel.complete("unknown", success, "w")).toBe(false);
    expect(outcomes()).toEqual([success]);
  });

  it("waits for room, and a second answer meanwhile counts for nothing", async () => {
    const all = [offered(), offered(), offered()];
    for (const _ of all) channel.poll();
    const [a, b, c] = all.map((delivery) => channel.complete(delivery.deliveryId, success, "w"));
    await Promise.all([a, b]);
    expect(completions.waitingCount).toBe(1);
    expect(await channel.complete(all[2]!.deliveryId, success, "w")).toBe(false);
    expect(channel.pendingCount).toBe(1);
    expect(completions.takeAll()).toHaveLength(2);
    expect(await c).toBe(true);
    expect(completions.takeAll()).toHaveLength(1);
  });

  it("keeps the lease until the database has decided, and passes its verdict on", async () => {
    const delivery = offered();
    channel.poll();
    let verdict = "";
    await channel.complete(delivery.deliveryId, success, "w", (given) => {
      verdict = given;
    });
    expect(channel.held()).toEqual([delivery]);
    for (const completion of completions.takeAll()) completion.settled("stale");
    expect(channel.held()).toEqual([]);
    expect(verdict).toBe("stale");
  });

  it("still holds a delivery whose answer the sink refused", async () => {
    const delivery = offered();
    channel.poll();
    completions.close();
    const refused = channel.complete(delivery.deliveryId, success, "w");
    await expect(refused).rejects.toSatisfy((error) => isTaskerError(error, "CHANNEL_CLOSED"));
    expect(channel.isHeld(delivery.deliveryId)).toBe(true);
    expect(channel.held()).toEqual([delivery]);
  });
});

describe("leaving without an answer", () => {
  it("lost deliveries go back; answered and unknown ones are passed over", async () => {
    const [a, b] = [offered(), offered()];
    channel.poll();
    channel.poll();
    await channel.complete(a!.deliveryId, success, "w");
    await channel.lose([a!.deliveryId, b!.deliveryId, "unknown"], {
      alone: true,
      message: "gone",
      workerName: "w",
    });
    expect(outcomes()).toEqual([
      success,
      { outcome: "lost", reason: "worker_lost", alone: true, message: "gone" },
    ]);
    expect(channel.pendingCount).toBe(0);
  });

  it("a held delivery past its deadline fails as retryable; its consumer hears of it", async () => {
    const cancelled: string[] = [];
    channel.onCancel((id, reason) => cancelled.push(`${id} ${reason}`));
    const delivery = offered({ timeoutMs: 1000 });
    channel.poll();
    clock.advance(30_999);
    expect(await channel.cleanupTimeouts()).toBe(0);
    clock.advance(1);
    expect(await channel.cleanupTimeouts()).toBe(1);
    expect(cancelled).toEqual([`${delivery.deliveryId} timeout`]);
    expect(outcomes()).toMatchObject([
      { kind: "timeout", errorType: "ffi_timeout", retryable: true },
    ]);
    expect(await channel.complete(delivery.deliveryId, success, "w")).toBe(false);
  });

  it("extending a lease moves the deadline", async () => {
    const delivery = offered({ timeoutMs: 1000 });
    expect(channel.extendLease(delivery.deliveryId)).toBe(false);
    channel.poll();
    clock.advance(30_000);
    expect(channel.extendLease(delivery.deliveryId)).toBe(true);
    clock.advance(30_000);
    expect(await channel.cleanupTimeouts()).toBe(0);
  });

  it("what nobody takes goes back without an attempt", async () => {
    offered({ timeoutMs: 1000 });
    clock.advance(31_000);
    expect(await channel.cleanupTimeouts()).toBe(1);
    expect(outcomes()).toMatchObject([{ outcome: "lost", reason: "drained" }]);
  });

  it("cancelling: a queued delivery goes back, a held one is its consumer's", async () => {
    const cancelled: string[] = [];
    channel.onCancel((_, reason) => cancelled.push(reason));
    const held = offered();
    channel.poll();
    const queued = offered();
    expect(channel.cancel(held.deliveryId, "task_cancelled")).toBe(true);
    expect(channel.cancel(queued.deliveryId, "lease_lost")).toBe(true);
    expect(channel.cancel("unknown", "shutdown")).toBe(false);
    await Promise.resolve();
    expect(cancelled).toEqual(["task_cancelled"]);
    expect(completions.takeAll().map((completion: StepCompletion) => completion.delivery)).toEqual([
      queued,
    ]);
    expect(channel.isHeld(held.deliveryId)).toBe(true);
  });
});

describe("metrics", () => {
  it("tell ages and what starves", () => {
    expect(channel.metrics()).toMatchObject({ pendingCount: 0, oldestPendingAgeMs: null });
    const oldest = offered();
    clock.advance(60);
    offered();
    clock.advance(50);
    expect(channel.metrics()).toEqual({
      pendingCount: 2,
      queuedCount: 2,
      oldestPendingAgeMs: 110,
      newestPendingAgeMs: 50,
      oldestEventId: oldest.deliveryId,
      starvationDetected: true,
      starvingEventCount: 1,
    });
    channel.poll();
    expect(channel.metrics()).toMatchObject({ pendingCount: 2, starvationDetected: false });
  });
});

describe("drain", () => {
  it("gives back what is queued, waits for what is held, then is closed", async () => {
    const held = offered();
    channel.poll();
    const queued = offered();
    const drained = channel.drain(AbortSignal.timeout(5000));
    expect(channel.offer(createDelivery())).toBe(false);
    expect(await channel.complete(held.deliveryId, success, "w")).toBe(true);
    await drained;
    expect(completions.takeAll().map((one) => [one.delivery, one.outcome.outcome])).toEqual([
      [queued, "lost"],
      [held, "success"],
    ]);
    expect(() => channel.poll()).toThrow(/closed/);
  });

  it("gives back what is held when time is up, and ends waiting polls", async () => {
    const waiting = channel.pollAsync(AbortSignal.timeout(5000), "solo");
    offered();
    channel.poll("shared");
    const controller = new AbortController();
    const drained = channel.drain(controller.signal);
    await expect(waiting).rejects.toThrow(/closed/);
    controller.abort();
    await drained;
    expect(outcomes()).toMatchObject([{ outcome: "lost", reason: "drained", alone: false }]);
    expect(channel.pendingCount).toBe(0);
  });
});
