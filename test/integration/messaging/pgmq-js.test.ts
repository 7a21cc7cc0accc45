import { defineHandler } from "@tasker-core/sdk";
import { Pgmq } from "pgmq-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PgmqProvider } from "../../../core/src/messaging/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine } from "../../support/test-engine.js";

/** Another PGMQ client on the same queues: what one sends the other reads. */
const database = useTestDatabase({ maxConnections: 4 });
let foreign: Pgmq;

beforeAll(async () => {
  const url = new URL(database.url);
  foreign = await Pgmq.new(
    {
      host: decodeURIComponent(url.searchParams.get("host") ?? url.hostname),
      port: Number(url.port || 5432),
      database: url.pathname.slice(1),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      max: 2,
      ssl: false,
    },
    { skipExtensionCreation: true },
  );
});
afterAll(async () => await foreign.close());

it("shares queues with pgmq-js in both directions", async () => {
  const ours = new PgmqProvider({ db: database.pool, pollIntervalMs: 10 });
  await foreign.queue.create("theirs");
  expect(await ours.createQueue("theirs")).toBe(false);
  await foreign.msg.sendBatch("theirs", [{ n: 1 }, { n: 2 }]);
  const received = await ours.receive("theirs", { visibilityTimeoutMs: 60_000, limit: 10 });
  expect(received.map(({ message }) => message)).toEqual([{ n: 1 }, { n: 2 }]);
  await ours.ack("theirs", received);

  await ours.createQueue("ours");
  const id = await ours.send("ours", { n: 3 });
  const read = await foreign.msg.read<{ n: number }>("ours", 60);
  expect(read).toMatchObject({ msgId: Number(id), readCount: 1, message: { n: 3 } });
  expect(await ours.receive("ours", { visibilityTimeoutMs: 1_000 })).toEqual([]);
  expect(await foreign.msg.archive("ours", read.msgId)).toBe(true);
  expect(await foreign.queue.getMetrics("ours")).toMatchObject({
    queueLength: 0,
    totalMessages: 1,
  });
  expect(await ours.metrics("ours")).toMatchObject({ depth: 0, totalSent: 1 });
  expect((await foreign.queue.list()).map(({ name }) => name)).toEqual(
    expect.arrayContaining(await ours.listQueues()),
  );
  await ours.close();
});

it("a worker runs the step whose message pgmq-js took out and sent anew", async () => {
  const options = {
    databaseUrl: database.url,
    templates: { one: [{ name: "only", callable: "one" }] },
  };
  const server = await startTestEngine({ ...options, role: "server" });
  const task = await server.create("one", { n: 5 });
  const taken = await foreign.msg.read<Record<string, string>>("worker_tests_queue", 60);
  expect(taken.message).toMatchObject({ task_uuid: task.taskUuid });
  expect(Object.keys(taken.message).sort()).toEqual(["correlation_id", "step_uuid", "task_uuid"]);
  expect(await foreign.msg.delete("worker_tests_queue", taken.msgId)).toBe(true);
  await foreign.msg.send("worker_tests_queue", taken.message);
  const worker = await startTestEngine({
    ...options,
    role: "worker",
    handlers: { one: defineHandler("one", { inputs: { n: "n" } }, async ({ n }) => ({ n })) },
  });
  expect(await server.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
  expect((await server.steps(task.taskUuid))[0]?.results?.result).toEqual({ n: 5 });
  await worker.engine.stop();
  await server.engine.stop();
});
