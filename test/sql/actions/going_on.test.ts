import { afterEach, beforeAll, expect, test } from "vitest";
import {
  type ClaimedStep,
  cancelTasks,
  completeStepManually,
  loadResults,
  resetStepForRetry,
  resolveStepManually,
  resolveTasks,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, type Shape, SqlHost } from "../support/sql-host.js";
import { NOTE, stepRow } from "./step-in-state.js";

/** How a task goes on after operators have acted on its steps. */
const database = useTestDatabase();
afterEach(() => assertIntegrity(database.pool));

/** A root, four branches, a join; the last branch waits a minute between attempts. */
const BRANCHES: Shape = [[], [0], [0], [0], [0], [1, 2, 3, 4]];
let host: SqlHost;

beforeAll(async () => {
  host = await new SqlHost(database.pool).register(BRANCHES, {
    steps: { 4: { backoff: "linear", backoff_base_ms: 60_000, backoff_cap_ms: 60_000 } },
  });
});

async function branches(): Promise<{ taskId: bigint; claims: ClaimedStep[] }> {
  const created = await host.create(1);
  const { claims } = await host.tick(created.claims);
  return { taskId: created.created[0]?.taskId as bigint, claims };
}

const at = (taskId: bigint, ordinal: number) => ({
  ...NOTE,
  stepId: (taskId << 20n) | BigInt(ordinal),
});
const timersOf = async (taskId: bigint) =>
  (
    await database.pool.query("select from tasker_core.step_timers where step_id >> 20 = $1", [
      taskId.toString(),
    ])
  ).rowCount;

test("a blocked task goes on only when the last failed step is dealt with", async () => {
  const { taskId, claims } = await branches();
  await host.tick(claims.slice(0, 2), { verdict: 2 });
  await host.tick(claims.slice(2, 4));
  expect(await host.taskState(taskId)).toBe("blocked_by_failures");

  const first = await resolveStepManually(database.pool, at(taskId, 1));
  expect(first).toMatchObject({ taskState: "blocked_by_failures", queued: 0 });
  const second = await resetStepForRetry(database.pool, at(taskId, 2));
  expect(second).toMatchObject({ taskState: "steps_in_process", queued: 1 });

  const again = await host.claim();
  expect(again.claims.map((claim) => [claim.stepId, claim.attempts])).toEqual([
    [at(taskId, 2).stepId, 1],
  ]);
  const { rested } = await host.finish(again);
  expect(rested).toEqual([{ taskId, state: "complete" }]);
});

test("steps kept back by a failure are sent: children that became ready, retries whose timer was dropped", async () => {
  const shape: Shape = [[], [], [], [1]];
  const own = await new SqlHost(database.pool).register(shape, {
    steps: { 2: { backoff: "none" } },
  });
  const created = await own.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  await own.tick(created.claims.slice(0, 1), { verdict: 2 });
  await own.tick(created.claims.slice(1, 2));
  await own.tick(created.claims.slice(2, 3), { verdict: 1 });
  await own.tick([], { timerLimit: 10 });
  expect(await own.states(taskId)).toEqual(["error", "complete", "waiting_for_retry", "pending"]);
  expect(await timersOf(taskId)).toBe(0);

  const result = await resolveStepManually(database.pool, at(taskId, 0));

  expect(result).toMatchObject({ taskState: "steps_in_process", queued: 2 });
  expect(await own.states(taskId)).toEqual([
    "resolved_manually",
    "complete",
    "enqueued",
    "enqueued",
  ]);
  const { rested } = await own.finish(await own.claim());
  expect(rested).toEqual([{ taskId, state: "complete" }]);
});

test("a retry that is not due yet stays with its timer", async () => {
  const { taskId, claims } = await branches();
  await host.tick(claims.slice(0, 3));
  await host.tick(claims.slice(3, 4), { verdict: 1 });
  expect(await host.taskState(taskId)).toBe("waiting_for_dependencies");
  const other = await completeStepManually(database.pool, { ...at(taskId, 0), body: "{}" });
  expect(other).toMatchObject({ taskState: "waiting_for_dependencies", queued: 0 });
  expect(await timersOf(taskId)).toBe(1);

  const done = await resolveStepManually(database.pool, at(taskId, 4));
  expect(done).toMatchObject({ taskState: "steps_in_process", queued: 1 });
  expect(await timersOf(taskId)).toBe(0);
  await host.finish(await host.claim());
  expect(await host.taskState(taskId)).toBe("complete");
});

test("the last step by hand completes the task, blocked or waiting", async () => {
  const single = await new SqlHost(database.pool).register([[]], {
    steps: { 0: { backoff: "linear", backoff_base_ms: 60_000, backoff_cap_ms: 60_000 } },
  });
  for (const [verdict, from] of [
    [2, "blocked_by_failures"],
    [1, "waiting_for_dependencies"],
  ] as const) {
    const created = await single.create(1);
    const taskId = created.created[0]?.taskId as bigint;
    await single.tick(created.claims, { verdict });
    const result = await resolveStepManually(database.pool, at(taskId, 0));
    expect(result).toMatchObject({ fromTaskState: from, taskState: "complete" });
    const { rows } = await database.pool.query<{ to_state: string }>(
      `select t.to_state from tasker.task_transitions t join tasker_core.task_requests r using (task_uuid)
       where r.task_id = $1 order by sort_key desc limit 2`,
      [taskId.toString()],
    );
    expect(rows.map((row) => row.to_state)).toEqual(["complete", "evaluating_results"]);
  }
});

test("a failed step of a final task is not reset: nothing would run it", async () => {
  const { taskId, claims } = await branches();
  await host.tick(claims.slice(0, 1), { verdict: 2 });
  await resolveTasks(database.pool, { ...NOTE, taskIds: [taskId] });
  const result = await resetStepForRetry(database.pool, at(taskId, 1));
  expect(result).toEqual({
    outcome: "task_is_final",
    fromState: "error",
    taskState: "resolved_manually",
  });
});

test("a result by hand replaces the earlier one for those who read it later", async () => {
  const { taskId, claims } = await branches();
  const epoch = async () =>
    (
      await database.pool.query<{ data_epoch: number }>(
        "select data_epoch from tasker_core.tasks where task_id = $1",
        [taskId.toString()],
      )
    ).rows[0]?.data_epoch;
  await completeStepManually(database.pool, { ...at(taskId, 1), body: '{"n":1}' });
  expect(await epoch()).toBe(0);
  await completeStepManually(database.pool, { ...at(taskId, 1), body: '{"n":2.0}' });
  expect(await epoch()).toBe(1);
  const { stepId } = at(taskId, 1);
  expect((await loadResults(database.pool, [stepId])).get(stepId)).toBe('{"n":2.0}');
  const late = await host.tick(claims.slice(0, 1));
  expect(late.verdicts[0]?.status).toBe("stale");
});

test("one call cancels many tasks; final ones say so, unknown ones are absent", async () => {
  const running = await branches();
  const blocked = await branches();
  await host.tick(blocked.claims.slice(0, 1), { verdict: 2 });
  const finished = await new SqlHost(database.pool).register([[]]);
  const created = await finished.create(1);
  await finished.tick(created.claims);
  const completeId = created.created[0]?.taskId as bigint;

  const closed = await cancelTasks(database.pool, {
    ...NOTE,
    taskIds: [completeId, blocked.taskId, running.taskId, 1n << 40n],
  });

  expect(closed.map(({ taskId, wasClosed, fromState }) => [taskId, wasClosed, fromState])).toEqual([
    [running.taskId, true, "steps_in_process"],
    [blocked.taskId, true, "blocked_by_failures"],
    [completeId, false, "complete"],
  ]);
  expect(closed[0]?.running).toEqual(
    running.claims.map(({ stepId }) => ({ stepId, workerId: host.workerId })),
  );
  expect(await host.states(blocked.taskId)).toEqual([
    "complete",
    ...Array.from({ length: 5 }, () => "cancelled"),
  ]);
});

test("who acted, when and why is kept", async () => {
  const { taskId } = await branches();
  await resolveStepManually(database.pool, at(taskId, 1));
  await cancelTasks(database.pool, { ...NOTE, taskIds: [taskId], reason: null });
  const { rows } = await database.pool.query(
    `select action, step_id, from_state, to_state, actor, reason from tasker_core.operator_actions
     where task_id = $1 order by action_id`,
    [taskId.toString()],
  );
  expect(rows).toEqual([
    {
      action: "resolve_step",
      step_id: at(taskId, 1).stepId,
      from_state: "in_progress",
      to_state: "resolved_manually",
      actor: "ada",
      reason: "because",
    },
    {
      action: "cancel_task",
      step_id: null,
      from_state: "evaluating_results",
      to_state: "cancelled",
      actor: "ada",
      reason: null,
    },
  ]);
});

test("a step that does not exist is said not to", async () => {
  const { taskId } = await branches();
  const result = await resolveStepManually(database.pool, at(taskId, 77));
  expect(result).toEqual({ outcome: "step_not_found" });
  expect(await stepRow(host, at(taskId, 77).stepId)).toBeUndefined();
});

test("a tolerated failure that is reset keeps its dependents waiting again", async () => {
  const { taskId, claims } = await branches();
  const join = at(taskId, 5).stepId;
  const pending = async () => (await stepRow(host, join))?.pending_dependencies;
  await database.pool.query(
    "update tasker_core.steps set failure_tolerated = true where step_id = $1",
    [at(taskId, 1).stepId.toString()],
  );
  await host.tick(claims.slice(0, 1), { verdict: 2 });
  expect(await pending()).toBe(3);
  expect(await host.taskState(taskId)).toBe("evaluating_results");

  const reset = await resetStepForRetry(database.pool, at(taskId, 1));
  expect(reset).toMatchObject({ taskState: "steps_in_process", queued: 1 });
  expect(await pending()).toBe(4);
  await host.tick(claims.slice(1));
  const { rested } = await host.finish(await host.claim());
  expect(rested).toEqual([{ taskId, state: "complete" }]);
});

test("cancelled steps keep nobody from completing, unless nothing was done at all", async () => {
  const { rows } = await database.pool.query<{ some: string; none: string }>(
    `select tasker_core._next_task_state('evaluating_results', 3, 2, 1, 0, 0, false)::text as some,
       tasker_core._next_task_state('evaluating_results', 3, 0, 3, 0, 0, false)::text as none`,
  );
  expect(rows).toEqual([{ some: "complete", none: "waiting_for_dependencies" }]);
});

test("results given by hand are no submissions of workers", async () => {
  const { taskId } = await branches();
  await completeStepManually(database.pool, { ...at(taskId, 1), body: "{}" });
  const { rows } = await database.pool.query<{ submitted: bigint; stored: bigint }>(
    `select (select count(*) from tasker.workflow_step_result_audit a
        join tasker_core.task_requests r using (task_uuid) where r.task_id = $1) as submitted,
       (select count(*) from tasker_core.step_results where step_id >> 20 = $1) as stored`,
    [taskId.toString()],
  );
  expect(rows).toEqual([{ submitted: 1n, stored: 2n }]);
});

test("a task of five thousand steps goes on from, and is cancelled in, one call each", async () => {
  const wide: Shape = [[], ...Array.from({ length: 5_000 }, () => [0])];
  const own = await new SqlHost(database.pool).register(wide);
  const created = await own.create(1);
  const taskId = created.created[0]?.taskId as bigint;

  const resolvedAt = performance.now();
  const resolved = await resolveStepManually(database.pool, at(taskId, 0));
  const resolveMs = performance.now() - resolvedAt;
  expect(resolved).toMatchObject({ taskState: "steps_in_process", queued: 5_000 });
  const { claims } = await own.claim({ limit: 1_000 });

  const cancelledAt = performance.now();
  const [closed] = await cancelTasks(database.pool, { ...NOTE, taskIds: [taskId] });
  const cancelMs = performance.now() - cancelledAt;
  expect(closed?.running).toHaveLength(1_000);
  // About 0.2 s and 0.1 s: far from what a statement per step would take.
  expect(Math.max(resolveMs, cancelMs)).toBeLessThan(10_000);
  const late = await own.tick(claims.slice(0, 3));
  expect(late.verdicts.map((verdict) => verdict.status)).toEqual(["stale", "stale", "stale"]);
});
