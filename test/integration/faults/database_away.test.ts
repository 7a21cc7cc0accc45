import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { defineHandler } from "@tasker-core/sdk";
import { afterEach, describe, expect, test } from "vitest";
import { createPool, migrate } from "../../../core/src/db/index.js";
import { startPostgres } from "../../../core/src/postgres/index.js";
import { usePostgresSandbox } from "../../../core/test/postgres/support.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";
import { TestApi } from "../web/support.js";

const TASKS = 12;
const OPEN_RETRY_SECONDS = 1;
const sandbox = usePostgresSandbox();
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** How often each step's handler ran, and the gate at which handlers wait. */
interface Trail {
  readonly runs: Map<string, number>;
  readonly waiting: Set<string>;
  open: () => void;
  gate: Promise<void>;
}

function newTrail(): Trail {
  const trail: Trail = {
    runs: new Map(),
    waiting: new Set(),
    open: () => undefined,
    gate: Promise.resolve(),
  };
  trail.gate = new Promise((resolve) => {
    trail.open = resolve;
  });
  return trail;
}

async function start(url: string, trail: Trail): Promise<{ host: TestEngine; api: TestApi }> {
  await migrate({ url });
  const host = await startTestEngine({
    databaseUrl: url,
    templates: {
      two: [
        { name: "first", callable: "gated" },
        { name: "second", callable: "gated", dependencies: ["first"] },
      ],
    },
    handlers: {
      gated: defineHandler("gated", {}, async ({ context }) => {
        trail.runs.set(context.stepUuid, (trail.runs.get(context.stepUuid) ?? 0) + 1);
        trail.waiting.add(context.stepUuid);
        await trail.gate;
        trail.waiting.delete(context.stepUuid);
        return { ok: true };
      }),
    },
    configure: (config) => {
      config.lease.lease_seconds = 10;
      config.common.database.pool.acquire_timeout_seconds = 1;
      const { circuit_breakers } = config.common;
      circuit_breakers.default_config.timeout_seconds = 300; // nobody waits for this: the pump finds the database back
      circuit_breakers.global_settings.min_state_transition_interval_seconds = OPEN_RETRY_SECONDS;
    },
  });
  undo.push(() => host.engine.stop());
  const api = await TestApi.start(host);
  undo.push(() => api.server.stop());
  return { host, api };
}

const post = (api: TestApi) =>
  api.call("POST", "/v1/tasks", {
    name: "two",
    namespace: "tests",
    version: "1.0.0",
    context: {},
    initiator: "test",
    source_system: "test",
    reason: "test",
  });

/** What a client and an operator see while the database is away. */
async function expectOpen(host: TestEngine, api: TestApi): Promise<void> {
  const { circuits } = host.engine;
  await waitFor(
    async () => {
      // Traffic, as in life: the pump alone may have nothing to ask.
      void api.call("GET", "/v1/templates").catch(() => undefined);
      return circuits.database.state === "open";
    },
    { timeoutMs: 20_000, intervalMs: 100, describe: "the circuit to open" },
  );
  const startedAt = performance.now();
  const created = await post(api);
  const listed = await api.call("GET", "/v1/templates");
  expect([created.status, created.body.error.code]).toEqual([503, "CIRCUIT_BREAKER_OPEN"]);
  expect([listed.status, listed.body.error.code]).toEqual([503, "CIRCUIT_BREAKER_OPEN"]);
  expect(created.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(performance.now() - startedAt).toBeLessThan(5_000); // a request may take 30 s
  const health = await api.call("GET", "/health/detailed");
  expect(health.body.info.circuit_breaker_state).toBe("Open");
  expect(health.body.checks.circuit_breaker.status).toBe("unhealthy");
  const metrics = await host.engine.metrics.render();
  expect(metrics).toContain('tasker_circuit_breaker_state{circuit="database"} 2');
  expect(metrics).toMatch(/tasker_circuit_breaker_opened_total\{circuit="database"\} [1-9]/);
  expect(metrics).toMatch(/tasker_circuit_breaker_refused_total\{circuit="database"\} [1-9]/);
}

async function expectAllSettled(host: TestEngine, api: TestApi, url: string, trail: Trail) {
  const pool = createPool({ url, max: 1 });
  undo.push(() => pool.close());
  await waitFor(
    async () => {
      const { rows } = await pool.query<{ n: number }>(
        "select count(*)::int as n from tasker_core.tasks where state = 'complete'",
      );
      return rows[0]?.n === TASKS;
    },
    { timeoutMs: 40_000, describe: `${TASKS} complete tasks` },
  );
  const { rows } = await pool.query<{ step: string; accepted: number; attempts: number }>(
    `select s.workflow_step_uuid::text as step, s.attempts,
       (select count(*)::int from tasker.workflow_step_transitions t
        where t.workflow_step_uuid = s.workflow_step_uuid and t.to_state = 'complete') as accepted
     from tasker.workflow_steps s`,
  );
  expect(rows).toHaveLength(TASKS * 2);
  for (const { step, accepted } of rows) {
    expect(accepted, `accepted results of ${step}`).toBe(1);
    const runs = trail.runs.get(step) ?? 0;
    expect(runs, `runs of ${step}`).toBeGreaterThanOrEqual(1);
    expect(runs, `runs of ${step}`).toBeLessThanOrEqual(2);
  }
  await waitFor(
    async () => {
      await api.call("GET", "/v1/templates");
      return (await host.engine.metrics.render()).includes(
        'tasker_circuit_breaker_state{circuit="database"} 0',
      );
    },
    { timeoutMs: 20_000, describe: "the circuit to close" },
  );
  expect((await post(api)).status).toBe(200);
}

/** The postmaster and its processes. */
function processesOf(postmaster: number): number[] {
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, "utf8");
  return [postmaster, ...children.trim().split(/\s+/).filter(Boolean).map(Number)];
}

/** Counts who tries to connect while the database is away. */
async function countAttempts(port: number, whileMs: number): Promise<number> {
  let attempts = 0;
  const stand = createServer((socket) => {
    attempts += 1;
    socket.on("error", () => undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve) => stand.listen(port, "127.0.0.1", resolve));
  await new Promise((resolve) => setTimeout(resolve, whileMs));
  await new Promise<void>((resolve) => stand.close(() => resolve()));
  return attempts;
}

describe("DESIGN 8.5: while the database is away results are delayed, never lost", () => {
  test("killed with -9 and started again, with steps in flight", async () => {
    const dataDir = join(sandbox.directory(), "pg");
    const before = await sandbox.start({ dataDir });
    const trail = newTrail();
    const { host, api } = await start(before.url, trail);
    for (let n = 0; n < TASKS; n += 1) await host.create("two");
    await waitFor(() => trail.waiting.size > 1, { describe: "handlers at work" });

    for (const pid of processesOf(before.pid)) process.kill(pid, "SIGKILL");
    await before.exited;
    trail.open(); // the handlers answer now: nowhere to put it
    await expectOpen(host, api);
    const seconds = 4;
    const attempts = await countAttempts(before.port, seconds * 1000);
    expect(attempts, "somebody looks whether it is back").toBeGreaterThan(0);
    // Pump, leases, wake-ups: one look each per interval.
    expect(attempts).toBeLessThanOrEqual(3 * (seconds / OPEN_RETRY_SECONDS + 1));

    const after = await startPostgres({ dataDir, port: before.port });
    undo.unshift(() => after.stop());
    expect(after.url).toBe(before.url);
    await expectAllSettled(host, api, after.url, trail);
  });

  test("stopped by SIGSTOP, so that nothing answers and nothing fails, and continued", async () => {
    const server = await sandbox.start({ dataDir: join(sandbox.directory(), "pg") });
    const trail = newTrail();
    const { host, api } = await start(server.url, trail);
    for (let n = 0; n < TASKS; n += 1) await host.create("two");
    await waitFor(() => trail.waiting.size > 1, { describe: "handlers at work" });

    const stopped = processesOf(server.pid);
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    try {
      trail.open();
      await expectOpen(host, api);
    } finally {
      for (const pid of stopped) process.kill(pid, "SIGCONT");
    }
    await expectAllSettled(host, api, server.url, trail);
  });
});
