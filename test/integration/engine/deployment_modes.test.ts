import { setTimeout as sleep } from "node:timers/promises";
import { defineHandler, RetryableError } from "@tasker-core/sdk";
import { afterEach, describe, expect, test } from "vitest";
import type { EngineRole } from "../../../core/src/bootstrap.js";
import type { Config } from "../../../core/src/config/index.js";
import { createLogger } from "../../../core/src/observability/index.js";
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

describe("Disabled: what an event system does is left to other hosts", () => {
  async function startWith(
    role: EngineRole,
    disabled: readonly ("worker" | "orchestration" | "task_readiness")[],
    lines: string[] = [],
  ): Promise<TestEngine> {
    const host = await startTestEngine({
      databaseUrl: database.url,
      role,
      logger: createLogger({ destination: { write: (line) => void lines.push(line) } }),
      templates: {
        one: [{ name: "only", callable: "one" }],
        again: [
          { name: "only", callable: "twice", retry: { max_attempts: 2, backoff_base_ms: 100 } },
        ],
      },
      handlers: {
        one: defineHandler("one", {}, async () => ({ ok: true })),
        twice: defineHandler("twice", {}, async ({ context }) => {
          if (context.retryCount === 0) throw new RetryableError("not yet");
          return { ok: true };
        }),
      },
      configure: (config) => {
        config.pump.poll_interval_ms = 50;
        for (const system of disabled) {
          if (system === "worker") config.worker.event_systems.worker.deployment_mode = "Disabled";
          else config.orchestration.event_systems[system].deployment_mode = "Disabled";
        }
      },
    });
    started.push(host);
    return host;
  }
  const stateOf = async (host: TestEngine, taskUuid: string): Promise<string> =>
    (await host.steps(taskUuid)).map(({ state }) => state).join();
  const settled = (host: TestEngine, task: Awaited<ReturnType<TestEngine["create"]>>) =>
    host.engine.waitForTask(task, AbortSignal.timeout(20_000));

  test("worker: creates tasks, and runs no step", async () => {
    const lines: string[] = [];
    const idle = await startWith("all", ["worker"], lines);
    expect(lines.join()).toContain("this host runs no steps");
    const task = await idle.create("one");
    await sleep(600);
    expect(await stateOf(idle, task.taskUuid)).toBe("enqueued");
    expect(idle.engine.worker.pump.counts.scans).toBe(0);
    const busy = await startWith("all", []);
    expect(await settled(idle, task)).toBe("complete");
    expect(busy.engine.worker.pump.counts.committed).toBe(1);
  });

  test.each(["all", "server"] as const)(
    "orchestration, role %s: settles no result",
    async (role) => {
      const lines: string[] = [];
      const host = await startWith(role, ["orchestration"], lines);
      expect(lines.join()).toContain("this host settles no results");
      if (role === "server") await startWith("worker", []);
      const task = await host.create("one");
      await waitFor(
        async () => (await stateOf(host, task.taskUuid)) === "enqueued_for_orchestration",
      );
      await sleep(600);
      expect(await stateOf(host, task.taskUuid)).toBe("enqueued_for_orchestration");
      await startWith("server", []);
      expect(await settled(host, task)).toBe("complete");
    },
  );

  test("task_readiness: wakes no due retry", async () => {
    const lines: string[] = [];
    const host = await startWith("all", ["task_readiness"], lines);
    expect(lines.join()).toContain("this host wakes no due retries");
    const task = await host.create("again");
    await waitFor(async () => (await stateOf(host, task.taskUuid)) === "waiting_for_retry");
    await sleep(600);
    expect(await stateOf(host, task.taskUuid)).toBe("waiting_for_retry");
    await startWith("all", []);
    expect(await settled(host, task)).toBe("complete");
  });
});
