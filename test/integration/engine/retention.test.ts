import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** Two hosts with retention switched on, and work going on all the while. */
const database = useTestDatabase({ maxConnections: 3 });
let hosts: TestEngine[] = [];
let letGo: () => void = () => undefined;

beforeAll(async () => {
  hosts = await Promise.all(
    [1, 2].map(() =>
      startTestEngine({
        databaseUrl: database.url,
        templates: {
          pair: [
            { name: "one", callable: "echo" },
            { name: "two", callable: "echo", dependencies: ["one"] },
          ],
          open: [{ name: "open", callable: "open" }],
        },
        handlers: {
          echo: defineHandler("echo", {}, () => ({ ok: true })),
          open: defineHandler("open", {}, async () => {
            await new Promise<void>((resolve) => {
              letGo = resolve;
            });
            return { ok: true };
          }),
        },
        configure: (config) => {
          config.retention.finished_task_days = 5;
          config.retention.interval_seconds = 0.2;
          config.retention.log_sweep_interval_minutes = 0;
          config.retention.batch_size = 7;
        },
      }),
    ),
  );
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await Promise.all(hosts.map((host) => host.engine.stop()));
});

test("tasks past their age go while others run; the young and the unfinished stay", async () => {
  const [first, second] = hosts as [TestEngine, TestEngine];
  const running = await first.create("open");
  const ended = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? first : second).create("pair")),
  );
  const ids = ended.map(({ taskId }) => taskId.toString());
  const unfinished =
    "select from tasker_core.tasks where task_id = any($1) and state <> 'complete'";
  await waitFor(async () => (await database.pool.query(unfinished, [ids])).rows.length === 0, {
    timeoutMs: 20_000,
    describe: "the pairs to complete",
  });
  const old = ids.slice(0, 30);
  await database.pool.query(
    `update tasker_core.tasks set state_since = now() - interval '6 days'
     where task_id = any($1) or task_id = $2`,
    [old, running.taskId.toString()],
  );
  const remaining = async (table: string, key: string): Promise<string[]> => {
    const { rows } = await database.pool.query<{ id: bigint }>(
      `select distinct ${key} as id from tasker_core.${table} order by 1`,
    );
    return rows.map((row) => row.id.toString());
  };
  const kept = [...ids.slice(30), running.taskId.toString()].sort((a, b) => Number(a) - Number(b));
  await waitFor(async () => (await remaining("tasks", "task_id")).length === kept.length, {
    timeoutMs: 20_000,
    describe: "old tasks to be deleted",
  });
  await waitFor(async () => (await remaining("step_log", "step_id >> 20")).length === kept.length, {
    timeoutMs: 20_000,
    describe: "their audit trail to be deleted",
  });
  expect(await remaining("tasks", "task_id")).toEqual(kept);
  expect(await remaining("step_log", "step_id >> 20")).toEqual(kept);
  expect(await remaining("step_results", "step_id >> 20")).toEqual(
    kept.filter((id) => id !== running.taskId.toString()),
  );
  letGo();
  expect(await first.engine.waitForTask(running, AbortSignal.timeout(20_000))).toBe("complete");
});
