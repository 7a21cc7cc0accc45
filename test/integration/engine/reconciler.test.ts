import { defineHandler, RetryableError } from "@tasker-core/sdk";
import { afterAll, afterEach, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import {
  startTestEngine,
  type TestEngine,
  type TestEngineOptions,
} from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** DATABASE section 5: rows really deleted under a running system; its own maintenance brings the tasks to their ends. */
const database = useTestDatabase({ maxConnections: 3 });
const running: TestEngine[] = [];
let failures = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((host) => host.engine.stop()));
});
afterAll(() => assertIntegrity(database.pool));

const OPTIONS: Omit<TestEngineOptions, "databaseUrl"> = {
  templates: {
    pair: [
      { name: "one", callable: "echo" },
      { name: "two", callable: "echo", dependencies: ["one"] },
    ],
    flaky: [
      { name: "flaky", callable: "flaky", retry: { backoff: "linear", backoff_base_ms: 1500 } },
    ],
  },
  handlers: {
    echo: defineHandler("echo", {}, () => ({ ok: true })),
    flaky: defineHandler("flaky", {}, async () => {
      failures += 1;
      if (failures === 1) throw new RetryableError("once more");
      return { failures };
    }),
  },
  configure: (config) => {
    config.pump.reconcile_interval_seconds = 0.3;
  },
};

async function start(role: "all" | "server" | "worker"): Promise<TestEngine> {
  const host = await startTestEngine({
    ...OPTIONS,
    databaseUrl: database.url,
    ...(role === "server" ? { handlers: {} } : {}),
    role,
  });
  running.push(host);
  return host;
}

async function stepState(taskId: bigint): Promise<string | undefined> {
  const { rows } = await database.pool.query<{ state: string }>(
    "select state::text from tasker_core.steps where step_id >> 20 = $1 order by step_id limit 1",
    [taskId.toString()],
  );
  return rows[0]?.state;
}

test("a stored result whose message was lost is settled by the next server", async () => {
  const server = await start("server");
  const task = await server.create("pair");
  await server.engine.stop();
  running.splice(0);
  await start("worker");
  await waitFor(async () => (await stepState(task.taskId)) === "enqueued_for_orchestration", {
    timeoutMs: 20_000,
    describe: "the first step to be submitted",
  });
  const lost = await database.pool.query(
    "delete from pgmq.q_orchestration_step_results returning 1",
  );
  expect(lost.rows).toHaveLength(1);
  const next = await start("server");
  expect(await next.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
});

test("a retry whose timer was lost is made", async () => {
  const host = await start("all");
  const task = await host.create("flaky");
  await waitFor(
    async () => {
      const { rows } = await database.pool.query(
        "delete from tasker_core.step_timers where step_id >> 20 = $1 returning 1",
        [task.taskId.toString()],
      );
      return rows.length === 1;
    },
    { timeoutMs: 20_000, describe: "the step to wait for its retry" },
  );
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
  expect(failures).toBe(2);
});

test("a step that nobody sent is sent", async () => {
  const server = await start("server");
  const task = await server.create("pair");
  await server.engine.stop();
  running.splice(0);
  for (const statement of [
    `update tasker_core.steps set state = 'pending', message_id = null
     where step_id >> 20 = $1 and state = 'enqueued'`,
    "update tasker_core.tasks set n_pipeline = 0 where task_id = $1",
    "delete from tasker_core.step_log where step_id >> 20 = $1 and move = 'enqueue'",
  ])
    await database.pool.query(statement, [task.taskId.toString()]);
  await database.pool.query("delete from pgmq.q_worker_tests_queue");
  const host = await start("all");
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
});
