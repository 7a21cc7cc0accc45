import { setTimeout as sleep } from "node:timers/promises";
import { defineHandler } from "@tasker-core/sdk";
import { afterEach, expect, test } from "vitest";
import type { EngineRole } from "../../../core/src/bootstrap.js";
import type { Config } from "../../../core/src/config/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

const database = useTestDatabase({ maxConnections: 4 });
const started: TestEngine[] = [];
type Mode = Config["worker"]["event_systems"]["worker"]["deployment_mode"];

afterEach(async () => {
  for (const host of started.splice(0).reverse()) await host.engine.stop();
});

async function start(mode: Mode, role: EngineRole, pollMs: number): Promise<TestEngine> {
  const host = await startTestEngine({
    databaseUrl: database.url,
    role,
    templates: { one: [{ name: "only", callable: "one" }] },
    handlers: { one: defineHandler("one", {}, async () => ({ ok: true })) },
    configure: (config) => {
      config.worker.event_systems.worker.deployment_mode = mode;
      config.orchestration.event_systems.orchestration.deployment_mode = mode;
      config.worker.event_systems.worker.timing.health_check_interval_seconds = 3;
      config.orchestration.event_systems.orchestration.timing.health_check_interval_seconds = 3;
      config.pump.poll_interval_ms = pollMs;
    },
  });
  started.push(host);
  return host;
}

const listeners = async (): Promise<number[]> => {
  const { rows } = await database.pool.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and application_name = 'tasker-listen'",
  );
  return rows.map(({ pid }) => pid);
};

const finish = async (host: TestEngine): Promise<number> => {
  const startedAt = performance.now();
  const task = await host.create("one");
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(30_000))).toBe("complete");
  return performance.now() - startedAt;
};

async function scansWhileIdle(host: TestEngine): Promise<number> {
  const before = host.engine.worker.pump.counts.scans;
  await sleep(1_500);
  return host.engine.worker.pump.counts.scans - before;
}

test("PollingOnly listens nowhere, and finds its work all the same", async () => {
  const server = await start("PollingOnly", "server", 50);
  await start("PollingOnly", "worker", 50);
  await finish(server);
  expect(await listeners()).toEqual([]);
});

test("Hybrid listens and polls", async () => {
  const host = await start("Hybrid", "all", 50);
  await waitFor(async () => (await listeners()).length === 1);
  expect(await scansWhileIdle(host)).toBeGreaterThan(5);
  await finish(host);
});

test("EventDrivenOnly does not poll at the interval", async () => {
  const host = await start("EventDrivenOnly", "all", 50);
  await waitFor(async () => (await listeners()).length === 1);
  await finish(host);
  expect(await scansWhileIdle(host)).toBeLessThan(5);
});

test("EventDrivenOnly is woken by notifications of other hosts", async () => {
  const server = await start("EventDrivenOnly", "server", 60_000);
  await start("EventDrivenOnly", "worker", 60_000);
  await waitFor(async () => (await listeners()).length === 2);
  // The first may come before the hosts say that they sleep.
  await finish(server);
  await sleep(500);
  expect(await finish(server)).toBeLessThan(2_500);
});

test.each(["Hybrid", "EventDrivenOnly"] as const)(
  "%s: work whose notification was lost is found",
  async (mode) => {
    const server = await start("PollingOnly", "server", 50);
    const worker = await start(mode, "worker", mode === "Hybrid" ? 300 : 60_000);
    await waitFor(async () => (await listeners()).length === 1);
    await sleep(300);
    // The worker sleeps. Its listening connection dies again and again until it has done the work: nobody hears.
    const task = await server.create("one");
    let isDone = false;
    const done = server.engine.waitForTask(task, AbortSignal.timeout(30_000)).then((state) => {
      isDone = true;
      return state;
    });
    let killed = 0;
    while (!isDone) {
      for (const pid of await listeners()) {
        await database.pool.query("select pg_terminate_backend($1)", [pid]);
        killed += 1;
      }
      await sleep(10);
    }
    expect(await done).toBe("complete");
    expect(killed).toBeGreaterThan(0);
    expect(worker.engine.worker.pump.counts.committed).toBe(1);
  },
);
