import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  markWorkerIdle,
  processStepResults,
  registerWorker,
  type StepReport,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { ORCHESTRATION } from "../../../core/src/worker/orchestrator-loop.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { SqlHost } from "../support/sql-host.js";

/** Split mode: who sleeps is woken by the commit that has work for it, and asks to be woken in a commit of its own work. */
const database = useTestDatabase();
const heard: string[] = [];
let listener: pg.Client;
let host: SqlHost;
let orchestrator: number;

beforeAll(async () => {
  listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  listener.on("notification", ({ channel }) => heard.push(channel));
});
afterAll(() => listener.end());
beforeEach(async () => {
  await database.pool.query("delete from tasker_core.idle_workers");
  await database.pool.query("delete from pgmq.q_orchestration_step_results");
  host = await new SqlHost(database.pool).register([[], [0]]);
  const identity = { workerUuid: newUuid(), name: "orchestrator", hostname: "test", pid: 1 };
  orchestrator = (await registerWorker(database.pool, identity, [])).workerId;
  for (const id of [host.workerId, orchestrator]) await listener.query(`listen tasker_wake_${id}`);
  heard.length = 0;
  await host.create(1, { free: 0 });
});

const idle = async (): Promise<number[]> => {
  const { rows } = await database.pool.query<{ worker_id: number }>(
    "select worker_id from tasker_core.idle_workers order by worker_id",
  );
  return rows.map((row) => row.worker_id);
};

async function submit(idleIn: number[] | null): Promise<{ woken: number }> {
  const { claims } = await host.claim();
  const reports = claims.map(
    ({ stepId, token }): StepReport => ({
      stepId,
      token,
      verdict: 0,
      executionMs: 1,
      hintMs: null,
      body: Buffer.from('{"success":true}'),
    }),
  );
  return await submitStepResults(database.pool, host.workerId, reports, idleIn);
}

test("a result wakes a sleeping orchestrator, once", async () => {
  await markWorkerIdle(database.pool, orchestrator, [ORCHESTRATION]);
  expect(await submit(null)).toMatchObject({ woken: 1 });
  await waitFor(() => heard.length > 0);
  expect(heard).toEqual([`tasker_wake_${orchestrator}`]);
  expect(await idle()).toEqual([]);
});

test("nobody asleep, nobody woken: the caller has to look again after its commit", async () => {
  expect(await submit(null)).toMatchObject({ woken: 0 });
  const outcome = await processStepResults(database.pool, orchestrator, 10, 0, [host.namespaceId]);
  expect(outcome).toMatchObject({ scanned: 1, queued: 1, woken: 0 });
  expect(heard).toEqual([]);
});

test("a worker asks with its last result, and is woken by the commit that makes a step ready", async () => {
  await submit([host.namespaceId]);
  expect(await idle()).toEqual([host.workerId]);
  const outcome = await processStepResults(database.pool, orchestrator, 10, 0, [host.namespaceId]);
  expect(outcome).toMatchObject({ queued: 1, woken: 1 });
  await waitFor(() => heard.length > 0);
  expect(heard).toEqual([`tasker_wake_${host.workerId}`]);
});

test("a commit that makes nothing ready wakes no worker", async () => {
  await submit(null);
  await processStepResults(database.pool, orchestrator, 10, 0);
  await submit([host.namespaceId]); // the last step of the task
  const outcome = await processStepResults(database.pool, orchestrator, 10, 0, [host.namespaceId]);
  expect(outcome).toMatchObject({ scanned: 1, queued: 0, woken: 0 });
  expect(await idle()).toEqual([host.workerId]);
});

test("an orchestrator asks with the call that found no full page, and not with one that did", async () => {
  await submit(null);
  await processStepResults(database.pool, orchestrator, 1, 0, null, true);
  expect(await idle()).toEqual([]);
  await processStepResults(database.pool, orchestrator, 1, 0, null, true);
  expect(await idle()).toEqual([orchestrator]);
});

test("the first steps of a task wake those who wait for them", async () => {
  await markWorkerIdle(database.pool, host.workerId, [host.namespaceId]);
  const creator = new SqlHost(database.pool);
  Object.assign(creator, { templateId: host.templateId, namespaceId: host.namespaceId });
  await creator.join([]);
  const outcome = await creator.create(1, { free: 0, wake: [host.namespaceId] });
  expect(outcome).toMatchObject({ queued: 1, woken: 1 });
  await waitFor(() => heard.length > 0);
  expect(heard).toEqual([`tasker_wake_${host.workerId}`]);
});
