import { defineHandler, PermanentError } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "../../../core/src/observability/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";

const database = useTestDatabase({ maxConnections: 4 });
let host: TestEngine;
let text = "";

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      good: [
        { name: "a", callable: "ok" },
        { name: "b", callable: "ok", dependencies: ["a"] },
      ],
      bad: [{ name: "a", callable: "fail" }],
    },
    handlers: {
      ok: defineHandler("ok", {}, async () => ({})),
      fail: defineHandler("fail", {}, async () => {
        throw new PermanentError("no");
      }),
    },
  });
  host.engine.events.subscribe("task.completed", () => undefined, { name: "watcher" });
  for (let i = 0; i < 3; i += 1) await host.run("good");
  await host.run("bad");
  text = await host.engine.metrics.render();
});
afterAll(async () => await host.engine.stop());

const sampleOf = (sample: string): number | undefined => {
  const line = text.split("\n").find((one) => one.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

test("counts what happened", () => {
  expect(sampleOf('tasker_step_results_total{verdict="committed"}')).toBe(7);
  expect(sampleOf('tasker_step_results_total{verdict="stale"}')).toBe(0);
  const handlers = "tasker_step_handler_duration_seconds_count";
  expect(sampleOf(`${handlers}{language="typescript",outcome="success"}`)).toBe(6);
  expect(sampleOf(`${handlers}{language="typescript",outcome="failure"}`)).toBe(1);
  expect(sampleOf('tasker_task_duration_seconds_count{state="complete"}')).toBe(3);
  expect(sampleOf('tasker_task_duration_seconds_sum{state="complete"}')).toBeGreaterThan(0);
  expect(sampleOf("tasker_pump_ticks_total")).toBeGreaterThanOrEqual(4);
  expect(sampleOf("tasker_leases_held")).toBe(0);
  expect(sampleOf('tasker_channel_high_water{channel="completion"}')).toBeGreaterThanOrEqual(1);
  expect(sampleOf('tasker_channel_capacity{channel="completion"}')).toBe(1000);
});

test("a second reading counts on and doubles nothing", async () => {
  const committed = 'tasker_step_results_total{verdict="committed"}';
  text = await host.engine.metrics.render();
  expect(sampleOf(committed)).toBe(7);
  await host.run("good");
  text = await host.engine.metrics.render();
  expect(sampleOf(committed)).toBe(9);
});

test("keeps Prometheus' rules: HELP and TYPE once, units and suffixes, values that are numbers", () => {
  const types = new Map<string, string>();
  const helped = new Set<string>();
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      expect(helped.has(name), `${name} has one HELP`).toBe(false);
      helped.add(name);
      expect(rest.endsWith("."), `HELP of ${name} is a sentence`).toBe(true);
    } else if (kind === "TYPE") types.set(name, rest);
    else {
      const [, sample = "", value] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
      const base = types.has(sample) ? sample : sample.replace(/_(bucket|sum|count)$/, "");
      expect(types.has(base), `${line} has a TYPE before it`).toBe(true);
      expect(Number.isFinite(Number(value)), line).toBe(true);
    }
  }
  expect(types.size).toBeGreaterThan(15);
  expect([...types.keys()].sort()).toEqual([...helped].sort());
  for (const [name, type] of types) {
    expect(name).toMatch(/^tasker_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith("_total"), `${name} is a ${type}`).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
  }
});

test("says what its parts have done, and how full its channels are", () => {
  expect(host.engine.status().map(({ name }) => name)).toEqual(
    expect.arrayContaining(["channel-monitor", "worker-host", "maintenance", "task-request"]),
  );
  const requests = host.engine.status().find(({ name }) => name === "task-request");
  expect(requests).toMatchObject({ processed: 5, errors: 0, mailbox: { capacity: 5000, load: 0 } });
  const channels = host.engine.channels.status().map(({ name }) => name);
  expect(channels).toEqual(
    expect.arrayContaining([
      "completion",
      "dispatch/typescript",
      "actor/task-request",
      "events/lifecycle/watcher",
    ]),
  );
});

test("measures every queue", async () => {
  const queues = await host.engine.queueMetrics();
  expect(queues).toEqual(
    expect.arrayContaining([expect.objectContaining({ queue: "worker_tests_queue", depth: 0 })]),
  );
});

test("a channel that really fills up is warned about, with the key to raise", async () => {
  const lines: string[] = [];
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const full = await startTestEngine({
    databaseUrl: database.url,
    logger: createLogger({ destination: { write: (line) => void lines.push(line) } }),
    templates: { calm: [{ name: "a", callable: "calm" }] },
    handlers: { calm: defineHandler("calm", {}, async () => ({})) },
    configure: (config) => {
      config.worker.mpsc_channels.in_process_events.broadcast_buffer_size = 20;
    },
  });
  try {
    const { events, domainEvents, channels } = full.engine;
    events.subscribe("step.completed", () => gate, { name: "slow" });
    domainEvents.envelopes.open(() => gate, { name: "python subscribers" }).setPatterns(["*"]);
    expect(channels.status().map(({ name }) => name)).toEqual(
      expect.arrayContaining(["events/lifecycle/slow", "events/domain/python subscribers"]),
    );
    const warned = () => lines.filter((line) => line.includes("events/lifecycle/slow held"));
    // One is with the subscriber; fifteen wait, one less than 80 % of 20.
    for (let n = 0; n < 16; n += 1) await full.run("calm");
    channels.check();
    expect(warned()).toEqual([]);
    await full.run("calm");
    channels.check();
    expect(warned()).toHaveLength(1);
    expect(warned()[0]).toContain(
      "held 16 of 20: raise worker.mpsc_channels.in_process_events.broadcast_buffer_size",
    );
  } finally {
    letGo();
    await full.engine.stop();
  }
});
