import { expect, test } from "vitest";
import {
  processStepResults,
  type StepReport,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, DIAMOND, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

async function submit(
  host: SqlHost,
  claims: readonly { stepId: bigint; token: number }[],
  verdict: 0 | 1 | 2 = 0,
) {
  const reports = claims.map(
    ({ stepId, token }): StepReport => ({
      stepId,
      token,
      verdict,
      executionMs: 1,
      hintMs: null,
      body: Buffer.from(`{"success":${verdict === 0}}`),
    }),
  );
  return await submitStepResults(database.pool, host.workerId, reports);
}

/** Runs everything through the queues, as separate processes would. */
async function finishSplit(host: SqlHost): Promise<void> {
  for (;;) {
    const claimed = await host.claim();
    if (claimed.claims.length === 0) return;
    const stored = await submit(host, claimed.claims);
    expect(stored.verdicts.every((verdict) => verdict.status === "committed")).toBe(true);
    const processed = await processStepResults(database.pool, host.workerId, 100, 0);
    expect(processed.scanned).toBe(claimed.claims.length);
  }
}

async function stepTrail(taskId: bigint): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    `select s.name, t.from_state, t.to_state from tasker.workflow_step_transitions t
     join tasker.workflow_steps s on s.workflow_step_uuid = t.workflow_step_uuid
     where s.step_id >> 20 = $1 order by s.name, t.sort_key`,
    [taskId.toString()],
  );
  return rows;
}

async function taskTrail(taskId: bigint): Promise<string[]> {
  const { rows } = await database.pool.query<{ to_state: string }>(
    `select t.to_state from tasker.task_transitions t join tasker.tasks k on k.task_uuid = t.task_uuid
     where k.task_id = $1 order by t.sort_key`,
    [taskId.toString()],
  );
  const states = rows.map((row) => row.to_state);
  // Repeated rounds of evaluating, enqueuing, processing count once: how many there are depends on how results met.
  return states.filter((state, i) => states.indexOf(state) === i);
}

test("split and fused leave the same audit trail", async () => {
  const host = await new SqlHost(database.pool).register(DIAMOND, { namespace: "split" });
  const split = (await host.create(1, { free: 0 })).created[0]?.taskId as bigint;
  await finishSplit(host);
  const created = await host.create(1);
  const fused = created.created[0]?.taskId as bigint;
  await host.finish(created);

  expect(await host.taskState(split)).toBe("complete");
  expect(await stepTrail(split)).toEqual(await stepTrail(fused));
  expect(await taskTrail(split)).toEqual(await taskTrail(fused));
  await assertIntegrity(database.pool);
});

test("a submitted result is settled once, however often its message is delivered", async () => {
  const host = await new SqlHost(database.pool).register([[], [0]], { namespace: "twice" });
  const taskId = (await host.create(1, { free: 0 })).created[0]?.taskId as bigint;
  const claimed = await host.claim();
  await submit(host, claimed.claims);
  await database.pool.query(
    `insert into pgmq.q_orchestration_step_results (vt, message)
     select vt, message from pgmq.q_orchestration_step_results, generate_series(1, 3)`,
  );
  await processStepResults(database.pool, host.workerId, 1, 0);
  await processStepResults(database.pool, host.workerId, 100, 0);
  expect(await host.states(taskId)).toEqual(["complete", "enqueued"]);
  const again = await submit(host, claimed.claims);
  expect(again.verdicts[0]?.status).toBe("committed");
  await assertIntegrity(database.pool);
});

test("a failure submitted by a worker is retried or fails as the orchestrator decides", async () => {
  const host = await new SqlHost(database.pool).register([[]], {
    namespace: "split_fail",
    steps: { 0: { max_attempts: 2 } },
  });
  const taskId = (await host.create(1, { free: 0 })).created[0]?.taskId as bigint;
  await submit(host, (await host.claim()).claims, 1);
  expect(await host.states(taskId)).toEqual(["enqueued_as_error_for_orchestration"]);
  await processStepResults(database.pool, host.workerId, 100, 0);
  expect(await host.states(taskId)).toEqual(["waiting_for_retry"]);
  await processStepResults(database.pool, host.workerId, 100, 10);
  expect(await host.states(taskId)).toEqual(["enqueued"]);
  await submit(host, (await host.claim()).claims, 1);
  await processStepResults(database.pool, host.workerId, 100, 10);
  expect(await host.states(taskId)).toEqual(["error"]);
  expect(await host.taskState(taskId)).toBe("blocked_by_failures");
  await assertIntegrity(database.pool);
});
