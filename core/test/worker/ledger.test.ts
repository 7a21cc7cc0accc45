import { describe, expect, it } from "vitest";
import type { FfiDispatchChannel } from "../../src/channels/index.js";
import { Ledger } from "../../src/worker/ledger.js";

/** The part of a channel that a ledger uses, writing down what it is asked. */
function channelOf(asked: string[]): FfiDispatchChannel {
  const channel = {
    cancel: (id: string, reason: string) => asked.push(`${id} ${reason}`) > 0,
  };
  return channel as unknown as FfiDispatchChannel;
}

describe("Ledger.takeAway", () => {
  it("stops the delivery and renews its lease no more", () => {
    const asked: string[] = [];
    const ledger = new Ledger();
    ledger.add(1n, 5);
    ledger.delivered(1n, 5, { deliveryId: "d1", timeoutMs: 1000 }, channelOf(asked));
    ledger.takeAway(1n, "task_cancelled");
    ledger.takeAway(1n, "lease_lost");
    expect(asked).toEqual(["d1 task_cancelled"]);
    expect(ledger.held()).toEqual([]);
  });

  it("stops a delivery that is still being built when it gets into its channel", () => {
    const asked: string[] = [];
    const ledger = new Ledger();
    ledger.add(1n, 5);
    ledger.takeAway(1n, "lease_lost");
    ledger.delivered(1n, 5, { deliveryId: "d1", timeoutMs: 1000 }, channelOf(asked));
    expect(asked).toEqual(["d1 lease_lost"]);
    expect(ledger.size).toBe(0);
  });

  it("leaves a newer lease on the step alone", () => {
    const asked: string[] = [];
    const ledger = new Ledger();
    ledger.add(1n, 5);
    ledger.takeAway(1n, "lease_lost");
    ledger.add(1n, 6);
    ledger.delivered(1n, 6, { deliveryId: "d2", timeoutMs: 1000 }, channelOf(asked));
    expect(asked).toEqual([]);
    expect(ledger.held()).toEqual([{ stepId: 1n, token: 6 }]);
  });
});
