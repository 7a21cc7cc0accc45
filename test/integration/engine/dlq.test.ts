import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** Tasks that would otherwise be nobody's business: stale ones, lost messages, crash loops. */
const database = useTestDatabase({ maxConnections: 4 });
const told: string[] = [];
let letGo: () => void = () => undefined;
let host: TestEngine;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      hang: [
        { name: "hang", callable: "hang" },
        { name: "after", callable: "echo", dependencies: ["hang"] },
      ],
      gate: [{ name: "gate", callable: "gate" }],
      exit: [{ name: "exit", callable: "reference.exit" }],
    },
    handlers: {
      echo: defineHandler("echo", {}, () => ({ ok: true })),
      hang: defineHandler("hang", {}, async ({ context }) => {
        await new Promise<void>((resolve) => {
          context.signal.addEventListener("abort", () => {
            told.push(context.taskUuid);
            resolve();
          });
        });
        return { was: "too late" };
      }),
      gate: defineHandler("gate", {}, async () => {
        await new Promise<void>((resolve) => {
          letGo = resolve;
        });
        return { ok: true };
      }),
    },
    languages: ["python"],
    configure: (config) => {
      config.orchestration.dlq.staleness_detection.detection_interval_seconds = 0.2;
      config.pump.reconcile_interval_seconds = 0.2;
      config.worker.typescript.max_concurrent = 1;
    },
  });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

async function entryOf(taskUuid: string) {
  const { rows } = await database.pool.query<{ reason: string; state: string; metadata: string }>(
    `select dlq_reason::text as reason, original_state as state, metadata::text as metadata
     from tasker.tasks_dlq where task_uuid = $1`,
    [taskUuid],
  );
  return rows;
}

test("a stale task is given up while its handler runs: it is told, and its waiter hears of the error", async () => {
  const task = await host.create("hang");
  await waitFor(
    async () => (await host.steps(task.taskUuid)).some(({ state }) => state === "in_progress"),
    { timeoutMs: 10_000 },
  );
  for (const statement of [
    "update tasker_core.tasks set state_since = now() - interval '31 minutes' where task_id = $1",
    "update tasker_core.steps set updated_at = now() - interval '31 minutes' where step_id >> 20 = $1",
  ]) {
    await database.pool.query(statement, [task.taskId.toString()]);
  }
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(15_000))).toBe("error");
  expect((await host.steps(task.taskUuid)).map(({ state }) => state)).toEqual([
    "cancelled",
    "cancelled",
  ]);
  expect(await entryOf(task.taskUuid)).toMatchObject([
    { reason: "staleness_timeout", state: "steps_in_process" },
  ]);
  await waitFor(async () => told.includes(task.taskUuid), { timeoutMs: 15_000 });
  const { rows } = await database.pool.query(
    `select from_state, to_state from tasker.task_transitions
     where task_uuid = $1 and most_recent`,
    [task.taskUuid],
  );
  expect(rows).toEqual([{ from_state: "steps_in_process", to_state: "error" }]);
});

test("a queue that somebody purged is filled again, and every task completes", async () => {
  const tasks = await Promise.all(Array.from({ length: 20 }, () => host.create("gate")));
  await waitFor(
    async () => {
      const states = await Promise.all(tasks.map((task) => host.steps(task.taskUuid)));
      return states.flat().some(({ state }) => state === "enqueued");
    },
    { timeoutMs: 10_000, describe: "steps to wait in the queue" },
  );
  await database.pool.query("delete from pgmq.q_worker_tests_queue");
  const opener = setInterval(() => letGo(), 5);
  try {
    for (const task of tasks) {
      expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
    }
  } finally {
    clearInterval(opener);
  }
});

test("a step that kills its process leaves an investigation that names it", async () => {
  const { taskUuid, state } = await host.run("exit", {}, 30_000);
  expect(state).toBe("blocked_by_failures");
  const [entry, ...others] = await entryOf(taskUuid);
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ reason: "worker_unavailable", state: "blocked_by_failures" });
  expect(JSON.parse(entry?.metadata ?? "")).toMatchObject({
    steps: [{ name: "exit", deaths: 3 }],
  });
});
