import { afterEach, describe, expect, test } from "vitest";
import {
  type ClaimedStep,
  processStepResults,
  renewLeases,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import type { Queryable } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

/** Gap 9: `failure_strategy` acts; and a step that is given up leaves an investigation behind. */
const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

const later = { initial: false, pending_dependencies: 0, children: [] };

/** 0 analyzes; 1 is the template of the workers; 2 converges. */
async function batchHost(namespace: string, maxAttempts = 1): Promise<SqlHost> {
  return await new SqlHost(database.pool).register([[], [0], [1]], {
    namespace,
    steps: { 0: { children: [] }, 1: { ...later, max_attempts: maxAttempts }, 2: later },
  });
}

function batch(strategy: string, count: number) {
  const workers = Array.from({ length: count }, (_, i) => ({
    name: `work_${i}`,
    ordinal: 1,
    inputs: { batch_metadata: { cursor_field: "id", failure_strategy: strategy } },
    tolerated: strategy !== "fail_fast",
  }));
  const edge = (from: number, to: number, name: string) => ({ from, to, name });
  return {
    steps: [2],
    workers,
    edges: workers.flatMap((_, i) => [
      edge(0, -1 - i, "batch_dependency"),
      edge(-1 - i, 2, "worker_to_convergence"),
    ]),
  };
}

/** A batch of which `running` workers are handed out; the others wait in the queue. */
async function startBatch(host: SqlHost, strategy: string, count: number, running: number) {
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const expanded = await host.tick(created.claims, { plan: batch(strategy, count), free: running });
  expect(expanded.claims).toHaveLength(running);
  return { taskId, claims: expanded.claims };
}

async function entries(taskId: bigint) {
  const { rows } = await database.pool.query<{ reason: string; steps: string }>(
    `select d.dlq_reason::text as reason, (d.metadata -> 'steps')::text as steps
     from tasker_core.tasks_dlq d where d.task_id = $1`,
    [taskId.toString()],
  );
  return rows.map(({ reason, steps }) => ({
    reason,
    names: (JSON.parse(steps) as { name: string }[]).map((step) => step.name),
  }));
}

async function somebodyWaits(): Promise<boolean> {
  const { rows } = await database.pool.query<{ waiting: boolean }>(
    `select exists (select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock') as waiting`,
  );
  return rows[0]?.waiting === true;
}

const at = (claims: readonly ClaimedStep[], i: number) => claims[i] as ClaimedStep;

describe("fail_fast", () => {
  test("the final failure of a worker cancels its siblings in every state, and only them", async () => {
    const host = await batchHost("fail_fast", 2);
    const other = await startBatch(host, "fail_fast", 3, 3);
    const { taskId, claims } = await startBatch(host, "fail_fast", 6, 4);
    await host.tick([at(claims, 0)]); // complete
    await host.tick([at(claims, 1)], { verdict: 1, hintMs: 3_600_000 }); // waits for its retry
    const failed = await host.tick([at(claims, 2)], { verdict: 2, free: 0 });

    expect(failed.restedTasks).toEqual([{ taskId, state: "blocked_by_failures" }]);
    // The analyzer, the convergence, then the workers: one running, two in the queue.
    expect(await host.states(taskId)).toEqual([
      "complete",
      "pending",
      "complete",
      "cancelled",
      "error",
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    expect(await host.states(other.taskId)).toEqual([
      "complete",
      "pending",
      ...Array.from({ length: 3 }, () => "in_progress"),
    ]);
    const late = await host.tick([at(claims, 3)]);
    expect(late.verdicts[0]?.status).toBe("stale");
    expect((await host.claim()).claims).toEqual([]);
    const { rows } = await database.pool.query(
      "select from tasker_core.step_timers where step_id >> 20 = $1",
      [taskId.toString()],
    );
    expect(rows).toEqual([]);
    expect(await entries(taskId)).toEqual([]);
  });

  test("a failure that is retried cancels nothing", async () => {
    const host = await batchHost("fail_fast", 2);
    const { taskId, claims } = await startBatch(host, "fail_fast", 3, 3);
    await host.tick([at(claims, 0)], { verdict: 1 });
    expect(await host.states(taskId)).not.toContain("cancelled");
    expect(await host.taskState(taskId)).not.toBe("blocked_by_failures");
  });

  test("siblings that answer in the same call keep their own results", async () => {
    const host = await batchHost("fail_fast");
    const { taskId, claims } = await startBatch(host, "fail_fast", 4, 4);
    const both = await host.tick(claims.slice(0, 2), { verdict: 2 });
    expect(both.verdicts.map((verdict) => verdict.status)).toEqual(["committed", "committed"]);
    expect((await host.states(taskId)).slice(2)).toEqual([
      "error",
      "error",
      "cancelled",
      "cancelled",
    ]);
  });

  test("is the same when an orchestrator settles the failure; results that wait are kept", async () => {
    const host = await batchHost("fail_fast_split");
    const { taskId, claims } = await startBatch(host, "fail_fast", 4, 4);
    const report = (claim: ClaimedStep, verdict: 0 | 2) => ({
      stepId: claim.stepId,
      token: claim.token,
      verdict,
      executionMs: 1,
      hintMs: null,
      body: Buffer.from("{}"),
    });
    await submitStepResults(database.pool, host.workerId, [report(at(claims, 0), 2)]);
    await submitStepResults(database.pool, host.workerId, [report(at(claims, 1), 0)]);
    // One message per call: the failure is settled while the other result still waits.
    await processStepResults(database.pool, host.workerId, 1, 0);
    expect((await host.states(taskId)).slice(2)).toEqual([
      "error",
      "enqueued_for_orchestration",
      "cancelled",
      "cancelled",
    ]);
    await processStepResults(database.pool, host.workerId, 1, 0);
    expect((await host.states(taskId)).slice(2, 4)).toEqual(["error", "complete"]);
    expect(await host.taskState(taskId)).toBe("blocked_by_failures");
  });

  test("siblings that fail at the same time leave nothing running", async () => {
    const host = await batchHost("fail_fast_race");
    for (let round = 0; round < 5; round += 1) {
      const { taskId, claims } = await startBatch(host, "fail_fast", 8, 8);
      await Promise.all(claims.slice(0, 4).map((claim) => host.tick([claim], { verdict: 2 })));
      const states = (await host.states(taskId)).slice(2);
      expect(new Set(states)).toEqual(new Set(["error", "cancelled"]));
    }
  });

  test("does not deadlock with the renewal of the siblings' leases", async () => {
    const host = await batchHost("fail_fast_locks");
    const { taskId, claims } = await startBatch(host, "fail_fast", 4, 4);
    const renew = async (db: Queryable, { stepId, token }: ClaimedStep) =>
      await renewLeases(db, host.workerId, [{ stepId, token }], 60_000);
    const failed = await database.pool.withConnection(async (renewal) => {
      await renewal.query("begin");
      await renew(renewal, at(claims, 0));
      const failing = host.tick([at(claims, 3)], { verdict: 2 });
      await waitFor(somebodyWaits, { describe: "the failure to wait for its sibling" });
      // It waits for the first and must not hold the last.
      await renew(renewal, at(claims, 3));
      await renewal.query("commit");
      return await failing;
    });
    expect(failed.verdicts[0]?.status).toBe("committed");
    expect((await host.states(taskId)).slice(2)).toEqual([
      "cancelled",
      "cancelled",
      "cancelled",
      "error",
    ]);
  });

  test("after the failed worker and the cancelled ones are resolved by hand, the batch converges", async () => {
    const host = await batchHost("fail_fast_repair");
    const { taskId, claims } = await startBatch(host, "fail_fast", 3, 3);
    await host.tick([at(claims, 0)], { verdict: 2 });
    for (const claim of claims) {
      await database.pool.query(
        "select tasker_core.resolve_step_manually($1, $2, 'ada', 'checked')",
        [host.workerId, claim.stepId.toString()],
      );
    }
    const convergence = await host.claim();
    expect(convergence.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
    const { rested } = await host.finish(convergence);
    expect(rested).toEqual([{ taskId, state: "complete" }]);
  });
});

describe("isolate", () => {
  test("failed workers open one investigation, and the batch converges without them", async () => {
    const host = await batchHost("isolate");
    const { taskId, claims } = await startBatch(host, "isolate", 4, 4);
    await host.tick([at(claims, 0)], { verdict: 2 });
    await host.tick([at(claims, 1)], { verdict: 2 });
    expect(await entries(taskId)).toEqual([
      { reason: "max_retries_exceeded", names: ["work_0", "work_1"] },
    ]);
    const converging = await host.tick(claims.slice(2));
    expect(converging.claims.map((claim) => claim.templateOrdinal)).toEqual([2]);
    expect((await host.finish(converging)).rested).toEqual([{ taskId, state: "complete" }]);
  });

  test.each(["continue_on_failure"])("%s opens none", async (strategy) => {
    const host = await batchHost("continue");
    const { taskId, claims } = await startBatch(host, strategy, 2, 2);
    await host.tick([at(claims, 0)], { verdict: 2 });
    expect(await entries(taskId)).toEqual([]);
    expect((await host.states(taskId)).slice(2)).toEqual(["error", "in_progress"]);
  });
});

describe("a crash loop", () => {
  const given = '{"success":false,"error":{"error_type":"crash_loop","message":"given up"}}';

  test("opens an investigation that names the step", async () => {
    const host = await new SqlHost(database.pool).register([[], []], { namespace: "crashing" });
    const created = await host.create(1);
    const taskId = created.created[0]?.taskId as bigint;
    const [dead] = created.claims;
    await database.pool.query("update tasker_core.steps set deaths = 3 where step_id = $1", [
      dead?.stepId.toString(),
    ]);
    await host.tick([dead as ClaimedStep], { verdict: 2, body: given });
    expect(await entries(taskId)).toEqual([{ reason: "worker_unavailable", names: ["step_0"] }]);
  });

  test.each([
    ["has died before, but fails in its own words", 1, '{"error":{"error_type":"ValueError"}}'],
    ["calls its own error crash_loop", 0, given],
  ])("a step that %s does not", async (_, deaths, body) => {
    const host = await new SqlHost(database.pool).register([[]], { namespace: "crashing" });
    const created = await host.create(1);
    const [step] = created.claims;
    await database.pool.query("update tasker_core.steps set deaths = $2 where step_id = $1", [
      step?.stepId.toString(),
      deaths,
    ]);
    await host.tick([step as ClaimedStep], { verdict: 2, body });
    expect(await entries(created.created[0]?.taskId as bigint)).toEqual([]);
  });
});
