import { beforeEach, expect, test } from "vitest";
import {
  cancelTasks,
  detectStaleTasks,
  releaseSteps,
  submitStepResults,
} from "../../../core/src/db/functions/index.js";
import {
  type ExplainSettings,
  type Explanation,
  explainTask,
  type Reason,
  type ReasonCode,
  readTaskFacts,
} from "../../../core/src/lifecycle/explain/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { type Shape, SqlHost } from "../support/sql-host.js";

/** `task explain`: one test per reason for which a task can stand where it does. */
const database = useTestDatabase();

const LIMITS = {
  waitingForDependencies: 60,
  waitingForRetry: 30,
  stepsInProcess: 30,
  maxLifetimeHours: 24,
};
const SETTINGS: ExplainSettings = {
  handlerWaitSeconds: 15,
  reconcileIntervalSeconds: 30,
  staleness: { ...LIMITS, enforceLifecycle: true },
};
const CHAIN: Shape = [[], [0], [1]];

// Workers of earlier tests would serve the steps of later ones.
beforeEach(() => database.pool.query("update tasker_core.workers set stopped_at = now()"));

let namespaces = 0;
async function hostOf(
  shape: Shape = CHAIN,
  steps: Parameters<SqlHost["register"]>[1] = {},
): Promise<SqlHost> {
  const namespace = `explain_${namespaces++}`;
  return await new SqlHost(database.pool).register(shape, { namespace, ...steps });
}

async function start(host: SqlHost, options: { free?: number; priority?: number } = {}) {
  const made = await host.create(1, options);
  return { taskId: made.created[0]?.taskId as bigint, claims: made.claims };
}

async function explain(taskId: bigint): Promise<Explanation> {
  const { rows } = await database.pool.query<{ task_uuid: string }>(
    "select task_uuid from tasker_core.task_requests where task_id = $1",
    [taskId.toString()],
  );
  const facts = await readTaskFacts(database.pool, rows[0]?.task_uuid ?? "", SETTINGS);
  if (facts === null) throw new Error("the task is gone");
  return explainTask(facts);
}

async function reason(taskId: bigint, code: ReasonCode, step?: string): Promise<Reason> {
  const explanation = await explain(taskId);
  const found = explanation.reasons.find(
    (candidate) => candidate.code === code && (step === undefined || candidate.step === step),
  );
  expect(found, `${code} in ${JSON.stringify(explanation, null, 1)}`).toBeDefined();
  return found as Reason;
}

async function run(sql: string, ...values: unknown[]): Promise<void> {
  await database.pool.query(sql, values);
}

const backdateSteps = (taskId: bigint, seconds: number) =>
  run(
    "update tasker_core.steps set updated_at = now() - make_interval(secs => $2) where step_id >> 20 = $1",
    taskId.toString(),
    seconds,
  );
test("a task that does not exist has no facts", async () => {
  const nobody = "00000000-0000-7000-8000-000000000000";
  expect(await readTaskFacts(database.pool, nobody, SETTINGS)).toBeNull();
});

test("waiting for a handler that nobody registers names it, the nearest one and how long is left", async () => {
  const host = await hostOf([[]], { steps: { 0: { callable: "charge_card" } } });
  await host.join(["charge_cards"]);
  const { taskId } = await start(host, { free: 0 });
  const fresh = await reason(taskId, "no_handler", "step_0");
  expect(fresh.text).toMatch(/handler `charge_card`.*one of them serves `charge_cards`/);
  expect(fresh.text).toMatch(/fails it in 1\d s \(lease\.handler_wait_seconds\)/);
  expect(fresh.todo).toContain("start a worker whose handlers include `charge_card`");

  await backdateSteps(taskId, 60);
  expect((await reason(taskId, "no_handler")).text).toContain("as soon as it looks");
});

test("without any live worker that is what is said", async () => {
  const host = await hostOf();
  const { taskId } = await start(host, { free: 0 });
  await run("update tasker_core.workers set stopped_at = now()");
  expect((await reason(taskId, "no_worker", "step_0")).todo).toContain("tasker dev");
});

test("waiting in a queue counts what is ahead, by class of priority", async () => {
  const host = await hostOf();
  for (let i = 0; i < 3; i++) await start(host, { free: 0 });
  for (let i = 0; i < 2; i++) await start(host, { free: 0, priority: 9 });
  const { taskId } = await start(host, { free: 0 });
  const normal = await reason(taskId, "queued", "step_0");
  expect(normal.text).toMatch(
    /priority 0 \(normal\): 3 steps ahead of it in worker_explain_\d+_queue, 2 steps of higher priority/,
  );
  const low = await start(host, { free: 0, priority: -1 });
  expect((await reason(low.taskId, "queued")).text).toMatch(
    /priority -1 \(low\): 0 steps ahead .*_lo_queue, 6 steps of higher priority/,
  );
  const high = await start(host, { free: 0, priority: 1 });
  expect((await reason(high.taskId, "queued")).text).toMatch(
    /\(high\): 2 steps ahead .*_hi_queue;/,
  );
});

test("a message that may not be read yet says when it may", async () => {
  const host = await hostOf();
  const { taskId } = await start(host, { free: 0 });
  await run(
    `update pgmq.q_worker_explain_${namespaces - 1}_queue set vt = now() + interval '90 seconds'`,
  );
  expect((await reason(taskId, "queued")).text).toMatch(/may be read in (?:89|90) s/);
});

test("a step whose message is gone says who brings it back", async () => {
  const host = await hostOf();
  const { taskId } = await start(host, { free: 0 });
  await run(`delete from pgmq.q_worker_explain_${namespaces - 1}_queue`);
  expect((await reason(taskId, "message_lost")).todo).toContain("every 30 s");
});

test("running names the worker and the attempt, and what waits names what it waits for", async () => {
  const host = await hostOf();
  const { taskId } = await start(host);
  expect((await reason(taskId, "running", "step_0")).text).toMatch(
    /on sql \(pid 1 on test\), attempt 1 of 3/,
  );
  expect((await reason(taskId, "waiting_for_dependencies", "step_1")).text).toBe(
    "waits for step_0 (in_progress)",
  );
  const { summary, reasons } = await explain(taskId);
  expect(summary).toMatch(
    /^The task is steps_in_process, 0 of 3 steps done: first of all, step step_0 has been running/,
  );
  expect(reasons.map(({ code }) => code)).toEqual([
    "running",
    "waiting_for_dependencies",
    "waiting_for_dependencies",
  ]);
});

test("a worker that is silent, and one whose lease ended", async () => {
  const host = await hostOf();
  const { taskId } = await start(host);
  await run(
    "update tasker_core.workers set last_seen_at = now() - interval '20 seconds' where worker_id = $1",
    host.workerId,
  );
  expect((await reason(taskId, "worker_silent", "step_0")).text).toMatch(
    /has not been seen for 20 s; its lease ends in \d+ s, then another worker/,
  );
  await run("update tasker_core.workers set stopped_at = now()");
  expect((await reason(taskId, "worker_silent")).text).toContain("which has stopped");
  await run(
    "update tasker_core.steps set leased_until = now() - interval '40 seconds' where step_id >> 20 = $1 and state = 'in_progress'",
    taskId.toString(),
  );
  expect((await reason(taskId, "lease_expired", "step_0")).text).toMatch(/lease ended 40 s ago/);
});

test("a step that was given back waits for another worker", async () => {
  const host = await hostOf();
  const { taskId, claims } = await start(host);
  const [claim] = claims;
  if (claim === undefined) throw new Error("nothing was claimed");
  await releaseSteps(database.pool, [
    { stepId: claim.stepId, token: claim.token, isDeath: true, isSuspect: true },
  ]);
  expect((await reason(taskId, "lease_expired", "step_0")).text).toContain("was given back");
});

test("waiting for a retry says when, and what failed", async () => {
  const host = await hostOf();
  const { taskId, claims } = await start(host);
  const body = '{"success":false,"error":{"error_type":"Timeout","message":"no answer"}}';
  await host.tick(claims, { verdict: 1, hintMs: 90_000, body });
  expect((await reason(taskId, "waiting_for_retry", "step_0")).text).toMatch(
    /^attempt 1 of 3 failed: Timeout: no answer\. It is tried again in (?:29|30) s, at \d{4}-/,
  );
  await run(
    "update tasker_core.step_timers set due_at = now() - interval '1 minute' where step_id >> 20 = $1",
    taskId.toString(),
  );
  expect((await reason(taskId, "retry_overdue")).text).toMatch(/due for 6\d s, and nobody/);
  await run("delete from tasker_core.step_timers where step_id >> 20 = $1", taskId.toString());
  expect((await reason(taskId, "retry_overdue")).text).toContain("whose time is lost");
});

test("a failed step says with what, whether attempts are left, and what can be done", async () => {
  const host = await hostOf();
  const { taskId, claims } = await start(host);
  const body = '{"success":false,"error":{"error_type":"CardError","message":"declined"}}';
  await host.tick(claims, { verdict: 2, body });
  const broken = await reason(taskId, "step_failed", "step_0");
  expect(broken.text).toBe(
    "failed for good after 1 attempt: CardError: declined (its error is permanent, so it is not tried again)",
  );
  for (const command of ["reset-step", "complete-step", "resolve-step"]) {
    expect(broken.todo).toMatch(new RegExp(`tasker task ${command} [0-9a-f-]{36} step_0`));
  }
  expect((await reason(taskId, "behind_failure", "step_2")).text).toBe(
    "cannot run before step_0, which failed",
  );
});

test("attempts that are used up are another reason than a permanent error", async () => {
  const host = await hostOf([[]], { steps: { 0: { max_attempts: 1 } } });
  const { taskId, claims } = await start(host);
  await host.tick(claims, { verdict: 1 });
  expect((await reason(taskId, "step_failed")).text).toContain("(all 1 attempt are used up)");
});

test("what could run beside a failure is held back", async () => {
  const host = await hostOf([[], [], [1]]);
  const { taskId, claims } = await start(host);
  await host.tick(claims.slice(0, 1), { verdict: 2 });
  await host.tick(claims.slice(1, 2), { free: 0 });
  const { reasons } = await explain(taskId);
  const last = reasons.find(({ step }) => step === "step_2");
  expect(last?.code).toBe("held_back");
});

test("a result that nobody has processed", async () => {
  const host = await hostOf();
  const { taskId, claims } = await start(host);
  const report = { executionMs: 1, hintMs: null, body: Buffer.from("{}"), verdict: 0 } as const;
  await submitStepResults(
    database.pool,
    host.workerId,
    claims.map(({ stepId, token }) => ({ ...report, stepId, token })),
  );
  const waiting = await reason(taskId, "result_not_settled", "step_0");
  expect(waiting.text).toMatch(
    /has handed in its result, .*\(1 result in orchestration_step_results/,
  );
  expect(waiting.todo).toContain("tasker server");
});

async function batchOf(parallelism: number) {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await hostOf([[], [0], [1]], {
    steps: { 0: { children: [] }, 1: { ...later, max_attempts: 1 }, 2: later },
  });
  const { taskId, claims } = await start(host);
  const edge = (from: number, to: number, name: string) => ({ from, to, name });
  const names = [0, 1, 2];
  const plan = {
    steps: [2],
    workers: names.map((i) => ({
      name: `work_${i}`,
      ordinal: 1,
      inputs: { batch_metadata: { failure_strategy: "fail_fast" } },
      tolerated: false,
    })),
    edges: names.flatMap((i) => [
      edge(0, -1 - i, "batch_dependency"),
      edge(-1 - i, 2, "worker_to_convergence"),
      ...(i < parallelism ? [] : [edge(-1 - (i - parallelism), -1 - i, "batch_turn")]),
    ]),
  };
  return { host, taskId, expanded: await host.tick(claims, { plan }) };
}

test("a batch worker waits for its lane, and the convergence for the workers", async () => {
  const { taskId } = await batchOf(1);
  expect((await reason(taskId, "waiting_for_lane", "work_1")).text).toMatch(
    /lane of the batch: work_0 \(in_progress\) runs before it.*parallelism/,
  );
  expect((await reason(taskId, "waiting_for_dependencies", "step_2")).text).toBe(
    "waits for work_0 (in_progress), work_1 (pending) and work_2 (pending)",
  );
});

test("behind workers that fail_fast cancelled, the failure is what is named", async () => {
  const { host, taskId, expanded } = await batchOf(3);
  await host.tick(expanded.claims.slice(0, 1), { verdict: 2 });
  expect((await reason(taskId, "behind_failure", "step_2")).text).toContain("work_0, which failed");
  await run(
    "update tasker_core.steps set state = 'complete' where step_id >> 20 = $1 and name = 'work_0'",
    taskId.toString(),
  );
  const stuck = await reason(taskId, "behind_cancelled", "step_2");
  expect(stuck.text).toBe("cannot run before work_1 and work_2, which were cancelled");
  expect(stuck.todo).toContain("resolve-step");
});

test("stale, about to be stale, and in the DLQ", async () => {
  const host = await hostOf();
  const { taskId } = await start(host);
  const backdate = async (minutes: number) => {
    await backdateSteps(taskId, minutes * 60);
    await run(
      "update tasker_core.tasks set state_since = now() - make_interval(mins => $2) where task_id = $1",
      taskId.toString(),
      minutes,
    );
  };
  await backdate(26);
  expect((await reason(taskId, "going_stale")).text).toMatch(/stale in \d+ min|stale in \d+ s/);
  await backdate(31);
  expect((await reason(taskId, "stale")).text).toBe(
    "is stale: nothing has happened for 31 min, and 30 min are allowed; the next staleness check: it is put into the DLQ and ends in error",
  );
  const round = { limits: LIMITS, batchSize: 100, isDryRun: false, enforceLifecycle: true };
  await detectStaleTasks(database.pool, round);
  const dead = await reason(taskId, "in_dlq");
  expect(dead.text).toContain("(staleness_timeout): an investigation is open");
  expect(dead.todo).toMatch(/tasker dlq update [0-9a-f-]{36} -s manually_resolved/);
  expect((await reason(taskId, "final")).text).toMatch(/was given up .*by staleness_detection/);
});

test("final tasks say since when and by whom", async () => {
  const host = await hostOf();
  const { taskId, claims } = await start(host);
  await host.finish({ claims, restedTasks: [] } as never);
  expect((await reason(taskId, "final")).text).toMatch(/^is complete since \d+ s ago: every step/);

  const other = await start(host);
  const note = { workerId: null, actor: "ada", reason: "not wanted" };
  await cancelTasks(database.pool, { ...note, taskIds: [other.taskId] });
  const { reasons } = await explain(other.taskId);
  expect(reasons).toMatchObject([{ code: "final", todo: null }]);
  expect(reasons[0]?.text).toMatch(/was cancelled \d+ s ago, by ada \(not wanted\)/);
});

test("a task in which nothing has been set up yet, and a pending step with nothing to wait for", async () => {
  const host = await hostOf();
  const { taskId } = await start(host, { free: 0 });
  await run("update tasker_core.tasks set state = 'initializing' where task_id = $1", `${taskId}`);
  await run(
    "update tasker_core.steps set state = 'pending', message_id = null where step_id >> 20 = $1",
    taskId.toString(),
  );
  expect((await reason(taskId, "set_up")).text).toContain("(initializing)");
  expect((await reason(taskId, "not_created_yet", "step_0")).text).toContain("within 30 s");
});

test("of a thousand waiting steps ten are told, and the rest is counted", async () => {
  const wide = Array.from({ length: 60 }, (_, i) => (i === 0 ? [] : [0]));
  const host = await hostOf(wide);
  const { taskId } = await start(host);
  const { reasons, more } = await explain(taskId);
  expect(reasons).toHaveLength(11);
  expect(more).toEqual({ waiting_for_dependencies: 49 });
});
