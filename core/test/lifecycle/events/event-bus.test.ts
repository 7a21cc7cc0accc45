import { describe, expect, it } from "vitest";
import { createDeferred } from "../../../src/lib/deferred.js";
import { EventBus, type QueueLimits } from "../../../src/lifecycle/events/index.js";
import { silentLogger } from "../../../src/observability/index.js";

const LIMITS: QueueLimits = {
  capacity: 3,
  overflow: "drop_oldest",
  slowAfterMs: 5000,
  logsErrors: true,
  logsDrops: true,
};

function bus(limits: Partial<QueueLimits> = {}): EventBus<number> {
  return new EventBus<number>({ ...LIMITS, ...limits }, silentLogger());
}

describe("EventBus", () => {
  it.each([
    ["*", true],
    ["order.*", true],
    ["order.paid", true],
    ["order.paid.*", false],
    ["orders.*", false],
    ["order", false],
    ["orderxpaid", false],
  ])("pattern %s gets order.paid: %s", async (pattern, matches) => {
    const events = bus();
    const seen: number[] = [];
    events.subscribe(pattern, (event) => void seen.push(event));
    expect(events.wants("order.paid")).toBe(matches);
    events.publish("order.paid", 1);
    await events.close(5000);
    expect(seen).toEqual(matches ? [1] : []);
  });

  it("hands an event over once when several patterns of one subscriber match, and in order", async () => {
    const events = bus();
    const seen: number[] = [];
    events.subscribe(["*", "a.*", "a.b"], (event) => void seen.push(event));
    events.publish("a.b", 1);
    events.publish("a.c", 2);
    expect(seen).toEqual([]); // never in the publisher's own turn
    await events.close(5000);
    expect(seen).toEqual([1, 2]);
  });

  it("goes on after a subscriber that throws, at once or later, and counts it", async () => {
    const events = bus();
    const seen: number[] = [];
    events.subscribe("*", (event) => {
      if (event === 1) throw new Error("at once");
    });
    events.subscribe("*", async (event) => {
      await Promise.resolve();
      if (event === 1) throw new Error("later");
      seen.push(event);
    });
    events.publish("x", 1);
    events.publish("x", 2);
    await events.close(5000);
    expect(seen).toEqual([2]);
    expect(events.counts).toMatchObject({ failed: 2, delivered: 2 });
  });

  it.each([
    ["drop_oldest", [1, 4, 5, 6]],
    ["drop_newest", [1, 2, 3, 4]],
  ] as const)(
    "holds a bounded number for a subscriber that hangs: %s",
    async (overflow, expected) => {
      const events = bus({ overflow });
      const gate = createDeferred<void>();
      const started = createDeferred<void>();
      const seen: number[] = [];
      const others: number[] = [];
      events.subscribe("*", async (event) => {
        started.resolve();
        await gate.promise;
        seen.push(event);
      });
      events.subscribe("*", (event) => void others.push(event), { capacity: 100 });
      events.publish("x", 1);
      await started.promise;
      for (let event = 2; event <= 6; event += 1) events.publish("x", event);
      expect(events.counts.dropped).toBe(2);
      gate.resolve();
      await events.close(5000);
      expect(seen).toEqual(expected);
      expect(others).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );

  it("delivers nothing to who has unsubscribed, and does not wait for ever at the end", async () => {
    const events = bus();
    const seen: number[] = [];
    const unsubscribe = events.subscribe("*", (event) => void seen.push(event));
    events.publish("x", 1);
    unsubscribe();
    expect(events.isIdle).toBe(true);
    events.subscribe("*", () => new Promise(() => undefined));
    events.publish("x", 2);
    await events.close(50);
    expect(seen).toEqual([]);
    expect(events.isIdle).toBe(true);
  });
});
