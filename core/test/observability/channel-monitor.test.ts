import { describe, expect, it } from "vitest";
import { HighWater } from "../../src/lib/high-water.js";
import {
  ChannelMonitor,
  createLogger,
  type MonitoredChannel,
} from "../../src/observability/index.js";

function monitorOf(channels: MonitoredChannel[]) {
  const records: Record<string, unknown>[] = [];
  const logger = createLogger({
    level: "warn",
    destination: { write: (line: string) => void records.push(JSON.parse(line)) },
  });
  const monitor = new ChannelMonitor({
    channels: () => channels,
    warnAt: 0.8,
    intervalMs: 60_000,
    logger,
  });
  return { monitor, records };
}

function channel(name: string, more: Partial<MonitoredChannel> = {}): MonitoredChannel {
  return {
    name,
    key: `keys.${name}`,
    capacity: 10,
    size: 0,
    highWater: new HighWater(),
    overflow: "wait",
    warns: true,
    ...more,
  };
}

describe("ChannelMonitor", () => {
  it("warns from the threshold on, names the channel and its key, once per look", () => {
    const [below, at] = [channel("below"), channel("at")];
    const { monitor, records } = monitorOf([below, at]);
    below.highWater.record(7);
    at.highWater.record(8);
    monitor.check();
    expect(records).toMatchObject([
      { level: "warn", channel: "at", key: "keys.at", capacity: 10, most: 8, overflow: "wait" },
    ]);
    expect(records[0]?.["msg"]).toContain("raise keys.at");
    monitor.check();
    expect(records).toHaveLength(1);
  });

  it("sees a burst that was over before it looked", () => {
    const bursting = channel("bursting");
    const { monitor, records } = monitorOf([bursting]);
    bursting.highWater.record(10);
    bursting.highWater.record(1);
    monitor.check();
    expect(records).toMatchObject([{ most: 10 }]);
    expect(monitor.status()).toMatchObject([{ name: "bursting", highWater: 10, size: 0 }]);
  });

  it("does not warn about a channel that is meant to be full", () => {
    const full = channel("full", { warns: false, size: 10 });
    const { monitor, records } = monitorOf([full]);
    full.highWater.record(10);
    monitor.check();
    expect(records).toEqual([]);
    expect(monitor.status()).toMatchObject([{ saturation: 1 }]);
  });
});
