import { beforeEach, describe, expect, it } from "vitest";
import {
  CompletionChannel,
  FfiDispatchChannel,
  type StepCompletion,
  type StepDelivery,
  type StepSuccess,
  type StepYield,
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

const progress: StepYield = {
  outcome: "yield",
  cursor: Buffer.from("3"),
  itemsProcessed: 3,
  accumulatedResults: null,
  executionMs: 1,
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

describe("checkpointYield", () => {
  function yielded(overrides: Parameters<typeof createDelivery>[0] = {}) {
    const delivery = offered(overrides);
    channel.poll();
    const verdict = channel.checkpointYield(delivery.deliveryId, progress, "w");
    const [completion] = completions.takeAll();
    return { delivery, verdict, completion: completion as StepCompletion };
  }

  /** The delivery with which a yielded step goes on. */
  function after(delivery: StepDelivery): StepDelivery {
    return { ...delivery, deliveryId: `${delivery.deliveryId}-next` };
  }

  it("keeps its place until the database has decided", async () => {
    const { delivery, verdict, completion } = yielded();
    expect(completion.outcome).toBe(progress);
    expect([channel.free, channel.pendingCount, channel.held()]).toEqual([3, 1, [delivery]]);
    expect(channel.isHeld(delivery.deliveryId)).toBe(false);
    completion.settled("stale");
    expect(await verdict).toBe("stale");
    expect([channel.pendingCount, channel.held()]).toEqual([0, []]);
  });

  it("goes on in its own place when the channel is full, ahead of what waits", async () => {
    const { delivery, verdict, completion } = yielded();
    const waiting = [offered(), offered(), offered()];
    expect(channel.free).toBe(0);
    let arrivals = 0;
    channel.onArrival(() => arrivals++);
    const next = after(delivery);
    expect(channel.resume(delivery.deliveryId, next)).toBe(true);
    completion.settled("committed");
    expect(await verdict).toBe("committed");
    expect([arrivals, channel.pendingCount]).toEqual([1, 4]);
    expect([channel.poll(), channel.poll()]).toEqual([next, waiting[0]]);
    expect(await channel.complete(next.deliveryId, success, "w")).toBe(true);
  });

  it("goes on alone when it ran alone", () => {
    const { delivery } = yielded({ solo: true });
    const next = after(delivery);
    channel.resume(delivery.deliveryId, next);
    expect(channel.poll("shared")).toBeUndefined();
    expect(channel.poll("solo")).toBe(next);
  });

  it("counts for nothing when the delivery is not held", async () => {
    const queued = offered();
    expect(await channel.checkpointYield(queued.deliveryId, progress, "w")).toBe("stale");
    expect(await channel.checkpointYield("unknown", progress, "w")).toBe("stale");
    channel.poll();
    await channel.complete(queued.deliveryId, success, "w");
    expect(await channel.checkpointYield(queued.deliveryId, progress, "w")).toBe("stale");
    expect(channel.resume("unknown", createDelivery())).toBe(false);
    expect(outcomes()).toEqual([success]);
  });

  it("is one answer: neither a second one, a timeout nor a loss comes after it", async () => {
    const { delivery } = yielded({ timeoutMs: 1000 });
    expect(await channel.complete(delivery.deliveryId, success, "w")).toBe(false);
    expect(await channel.checkpointYield(delivery.deliveryId, progress, "w")).toBe("stale");
    clock.advance(60_000);
    expect(await channel.cleanupTimeouts()).toBe(0);
    await channel.lose([delivery.deliveryId], { alone: true, message: "gone", workerName: "w" });
    expect(outcomes()).toEqual([]);
  });

  it("has a deadline of its own for the delivery with which it goes on", async () => {
    const { delivery } = yielded({ timeoutMs: 1000 });
    clock.advance(20_000);
    channel.resume(delivery.deliveryId, after(delivery));
    clock.advance(30_999);
    expect(await channel.cleanupTimeouts()).toBe(0);
    clock.advance(1);
    expect(await channel.cleanupTimeouts()).toBe(1);
  });

  it("is still held when the sink refused it", async () => {
    const delivery = offered();
    channel.poll();
    completions.close();
    const refused = channel.checkpointYield(delivery.deliveryId, progress, "w");
    await expect(refused).rejects.toSatisfy((error) => isTaskerError(error, "CHANNEL_CLOSED"));
    expect(channel.isHeld(delivery.deliveryId)).toBe(true);
  });

  it("is stored while the channel drains, and goes on elsewhere", async () => {
    const { delivery, verdict, completion } = yielded();
    const drained = channel.drain(AbortSignal.timeout(5000));
    expect(channel.resume(delivery.deliveryId, after(delivery))).toBe(false);
    completion.settled("committed");
    expect(await verdict).toBe("committed");
    await drained;
    expect(channel.pendingCount).toBe(0);
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
