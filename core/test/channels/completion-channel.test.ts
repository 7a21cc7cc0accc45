import { setImmediate, setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CompletionChannel, type StepCompletion } from "../../src/channels/index.js";
import { CircuitBreaker } from "../../src/lib/circuit-breaker.js";
import { createDelivery } from "../support/deliveries.js";

function completion(): StepCompletion {
  const outcome = { outcome: "lost", reason: "drained", alone: false, message: "" } as const;
  return { delivery: createDelivery(), outcome, workerName: "w", settled: () => undefined };
}

describe("CompletionChannel", () => {
  it("takes oldest first, up to a maximum, without waiting", async () => {
    const channel = new CompletionChannel({ capacity: 10 });
    const all = [completion(), completion(), completion()];
    for (const one of all) await channel.put(one);
    expect(channel.takeAll(2)).toEqual(all.slice(0, 2));
    expect(channel.takeAll()).toEqual(all.slice(2));
    expect(channel.takeAll()).toEqual([]);
  });

  it("makes putters wait when full, and lets them in in order", async () => {
    const channel = new CompletionChannel({ capacity: 1 });
    const all = [completion(), completion(), completion()];
    const admitted: number[] = [];
    const puts = all.map((one, index) => channel.put(one).then(() => admitted.push(index)));
    await puts[0];
    expect([channel.size, channel.waitingCount]).toEqual([1, 2]);
    expect(channel.takeAll()).toEqual([all[0]]);
    await puts[1];
    expect(admitted).toEqual([0, 1]);
    expect([...channel.takeAll(), ...channel.takeAll()]).toEqual(all.slice(1));
    await Promise.all(puts);
  });

  it("tells of arrivals, those that had waited included", async () => {
    const channel = new CompletionChannel({ capacity: 1 });
    let arrivals = 0;
    const stop = channel.onArrival(() => arrivals++);
    await channel.put(completion());
    const waiting = channel.put(completion());
    expect(arrivals).toBe(1);
    channel.takeAll();
    await waiting;
    expect(arrivals).toBe(2);
    stop();
    channel.takeAll();
    await channel.put(completion());
    expect(arrivals).toBe(2);
  });

  it("close refuses new and waiting putters, and keeps what is in it", async () => {
    const channel = new CompletionChannel({ capacity: 1 });
    const kept = completion();
    await channel.put(kept);
    const waiting = channel.put(completion());
    channel.close();
    await expect(waiting).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await expect(channel.put(completion())).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    expect(channel.takeAll()).toEqual([kept]);
  });

  it("tells its circuit of slow sends; while that is open results go in all the same (DESIGN 8.5)", async () => {
    const circuit = new CircuitBreaker({
      name: "ffi_completion_send",
      failureThreshold: 3,
      successThreshold: 1,
      timeoutMs: 50,
      isFailure: () => true,
      refusal: () => new Error("never seen"),
    });
    const channel = new CompletionChannel({ capacity: 1, circuit, slowSendMs: 10 });
    const sent: Promise<void>[] = [];
    const all = Array.from({ length: 6 }, completion);
    for (const one of all) sent.push(channel.put(one));
    await setTimeout(20);
    const taken = channel.takeAll();
    taken.push(...channel.takeAll());
    await setImmediate();
    expect(circuit.state).toBe("closed"); // two slow ones
    taken.push(...channel.takeAll());
    await setImmediate();
    expect([circuit.state, circuit.isRefusing]).toEqual(["open", true]);
    while (channel.size > 0) taken.push(...channel.takeAll());
    await Promise.all(sent);
    expect(taken).toEqual(all);
    await setTimeout(60);
    expect(circuit.isRefusing).toBe(false);
    await channel.put(completion());
    await setImmediate();
    expect(circuit.state).toBe("closed");
  });
});
