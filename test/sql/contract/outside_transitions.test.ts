import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { withTransaction } from "../../../core/src/db/index.js";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { useTestDatabase } from "../../support/test-database.js";
import {
  assertIntegrity,
  LINEAR,
  type Shape,
  SqlHost,
  type StepOverrides,
} from "../support/sql-host.js";

/** What tools outside of the engine may ask of a task or a step, and what they may not. */
const database = useTestDatabase();
afterEach(() => assertIntegrity(database.pool));

const FAILED = '{"success":false}';

async function task(shape: Shape = LINEAR, steps: Readonly<Record<number, StepOverrides>> = {}) {
  const host = await new SqlHost(database.pool).register(shape, { steps });
  const created = await host.create(1);
  const taskId = created.created[0]?.taskId as bigint;
  const { rows } = await database.pool.query<{ task: string; steps: string[] }>(
    `select task_uuid as task, array_agg(workflow_step_uuid order by step_id) as steps
     from tasker.workflow_steps where step_id >> 20 = $1 group by 1`,
    [taskId.toString()],
  );
  const { task: uuid = "", steps: stepUuids = [] } = rows[0] ?? {};
  return { host, taskId, uuid, stepUuids, claims: created.claims };
}

async function value(text: string, values: readonly unknown[]): Promise<unknown> {
  const { rows } = await database.pool.query<{ value: unknown }>(`select ${text} as value`, values);
  return rows[0]?.value;
}

const moved = (
  uuid: string,
  from: string,
  to: string,
  processor: string | null = null,
  metadata = "{}",
) =>
  value("tasker.transition_task_state_atomic($1, $2, $3, $4, $5)", [
    uuid,
    from,
    to,
    processor,
    metadata,
  ]);

test("a tool ends a task once, and the trail says who and why", async () => {
  const { host, taskId, uuid } = await task();
  const { rows: workers } = await database.pool.query<{ id: string }>(
    "select worker_uuid as id from tasker_core.workers where worker_id = $1",
    [host.workerId],
  );
  const processor = workers[0]?.id ?? "";
  const metadata = '{"reason": "customer left", "ticket": 7}';
  expect(await moved(uuid, "evaluating_results", "cancelled")).toBe(false);
  expect(await moved(uuid, "steps_in_process", "cancelled", processor, metadata)).toBe(true);
  expect(await moved(uuid, "steps_in_process", "cancelled", processor, metadata)).toBe(false);
  expect(await host.states(taskId)).toEqual(Array(4).fill("cancelled"));
  const { rows } = await database.pool.query(
    `select from_state, to_state, processor_uuid, transition_metadata from tasker.task_transitions
     where task_uuid = $1 and most_recent`,
    [uuid],
  );
  const [{ transition_metadata, ...last } = {}] = rows;
  expect(last).toEqual({
    from_state: "steps_in_process",
    to_state: "cancelled",
    processor_uuid: processor,
  });
  expect(JSON.parse(String(transition_metadata))).toEqual({
    actor: processor,
    event: "Cancel",
    reason: "customer left",
    ticket: 7,
  });
});

test("a transition that the table lists, but the steps contradict, changes nothing", async () => {
  const { host, taskId, uuid } = await task();
  for (const to of ["complete", "waiting_for_retry", "steps_in_process"]) {
    expect(await moved(uuid, "steps_in_process", to)).toBe(false);
  }
  expect(await host.taskState(taskId)).toBe("steps_in_process");
  // This one they do not contradict: a step is running.
  expect(await moved(uuid, "in_progress", "evaluating_results")).toBe(true);
  expect(await value("tasker.finalize_task_completion($1)", [uuid])).toBe(false);
  expect(await moved(newUuid(), "pending", "initializing")).toBe(false);
  expect(await moved(uuid, "steps_in_process", "nowhere")).toBe(false);
});

test("a task whose row was left behind by a restored backup is brought to where its steps say", async () => {
  const { host, taskId, uuid, claims } = await task();
  await host.finish({ claims, restedTasks: [] } as never);
  const leave = () =>
    database.pool.query(
      "update tasker_core.tasks set state = 'evaluating_results', completed_at = null where task_id = $1",
      [taskId.toString()],
    );
  await leave();
  expect(await moved(uuid, "evaluating_results", "waiting_for_dependencies")).toBe(false);
  expect(await moved(uuid, "evaluating_results", "complete")).toBe(true);
  await leave();
  expect(await value("tasker.finalize_task_completion($1)", [uuid])).toBe(true);
  expect(await value("tasker.get_current_task_state($1)", [uuid])).toBe("complete");
});

test("one transaction at a time claims a task, and gives it back by ending", async () => {
  const { uuid } = await task();
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  const claim = "select tasker.claim_task_for_finalization($1, $2, 1) as claimed";
  try {
    await other.query("begin");
    expect((await other.query(claim, [uuid, newUuid()])).rows).toEqual([{ claimed: true }]);
    await withTransaction(database.pool, async (db) => {
      await db.query("set local lock_timeout = '7s'");
      expect((await db.query(claim, [uuid, newUuid()])).rows).toEqual([{ claimed: false }]);
      await other.query("commit");
      expect((await db.query(claim, [uuid, newUuid()])).rows).toEqual([{ claimed: true }]);
      expect((await db.query("show lock_timeout")).rows).toEqual([{ lock_timeout: "7s" }]);
    });
  } finally {
    await other.end();
  }
  await moved(uuid, "steps_in_process", "cancelled");
  expect(await value("tasker.claim_task_for_finalization($1)", [uuid])).toBe(false);
});

const changed = (step: string | undefined, from: string, to: string) =>
  value("tasker.tasker_update_step_status($1, $2, $3)", [step, from, to]);

test("a step is reset, resolved, completed or cancelled from outside, and its task goes on", async () => {
  const { host, taskId, stepUuids, claims } = await task([[], [0], [0], [1, 2]]);
  await host.tick(claims, { verdict: 2, body: FAILED });
  const [first, left, right, join] = stepUuids;
  expect(await changed(first, "pending", "complete")).toBe(false);
  expect(await changed(first, "error", "pending")).toBe(true);
  expect(await host.states(taskId)).toEqual(["enqueued", "pending", "pending", "pending"]);
  expect(await changed(first, "enqueued", "resolved_manually")).toBe(true);
  expect(await host.states(taskId)).toEqual([
    "resolved_manually",
    "enqueued",
    "enqueued",
    "pending",
  ]);
  expect(await changed(left, "enqueued", "cancelled")).toBe(true);
  expect(await changed(right, "enqueued", "complete")).toBe(true);
  // What a cancelled step leaves open, only a hand can close.
  expect(await host.states(taskId)).toEqual([
    "resolved_manually",
    "cancelled",
    "complete",
    "pending",
  ]);
  expect(await changed(left, "cancelled", "resolved_manually")).toBe(true);
  expect(await changed(join, "enqueued", "cancelled")).toBe(true);
  expect(await host.taskState(taskId)).toBe("complete");
  expect(await changed(newUuid(), "error", "pending")).toBe(false);
});

test("an illegal transition is refused with what is legal, a worker's own with whose it is", async () => {
  const { stepUuids } = await task();
  await expect(
    changed(stepUuids[1], "pending", "enqueued_for_orchestration"),
  ).rejects.toMatchObject({
    code: "TK001",
    hint: expect.stringMatching(/^From pending a step goes to cancelled, complete, enqueued, /),
  });
  await expect(changed(stepUuids[1], "pending", "enqueued")).rejects.toMatchObject({
    code: "TK003",
  });
  await expect(changed(stepUuids[1], "lost", "pending")).rejects.toMatchObject({ code: "TK001" });
});

test("another delay moves the retry, and only of a step that waits for one", async () => {
  const { host, taskId, stepUuids, claims } = await task(LINEAR, {
    0: { backoff: "linear", backoff_base_ms: 60_000, backoff_cap_ms: 60_000 },
  });
  const delay = (seconds: number) =>
    value("tasker.set_step_backoff_atomic($1, $2)", [stepUuids[0], seconds]);
  expect(await delay(5)).toBe(false);
  await host.tick(claims, { verdict: 1, body: FAILED });
  expect((await host.tick([], { timerLimit: 9 })).claims).toEqual([]);
  expect(await delay(100)).toBe(true);
  const { rows } = await database.pool.query(
    `select x.backoff_request_seconds as seconds, extract(epoch from x.next_retry_at - x.last_attempted_at)::integer as after
     from tasker.get_step_readiness_status((select task_uuid from tasker.tasks where task_id = $1)) x where x.name = 'step_0'`,
    [taskId.toString()],
  );
  expect(rows).toEqual([{ seconds: 100, after: 100 }]);
  expect(await delay(0)).toBe(true);
  expect((await host.tick([], { timerLimit: 9 })).claims).toHaveLength(1);
  await expect(delay(-1)).rejects.toThrow(/0 seconds or more, got -1/);
});

test("readiness tells when a step failed and when it is tried again", async () => {
  const host = await new SqlHost(database.pool).register([[], []], {
    steps: {
      0: { backoff: "linear", backoff_base_ms: 20_000, backoff_cap_ms: 60_000 },
      1: { retryable: false },
    },
  });
  const { taskId } = (await host.create(1)).created[0] ?? { taskId: 0n };
  const at = async (time: string, sql: string, values: readonly unknown[] = []) =>
    await withTransaction(database.pool, async (db) => {
      await db.query(`set local tasker.now = '${time}'`);
      return (await db.query(sql, values)).rows;
    });
  const tokens = await database.pool.query<{ step_id: bigint; lease_token: number }>(
    "select step_id, lease_token from tasker_core.steps where step_id >> 20 = $1 order by 1",
    [taskId.toString()],
  );
  await withTransaction(database.pool, async (db) => {
    await db.query("set local tasker.now = '2026-03-01 12:00:00+00'");
    const clocked = new SqlHost(db);
    clocked.workerId = host.workerId;
    const claims = tokens.rows.map((row) => ({ stepId: row.step_id, token: row.lease_token }));
    await clocked.tick(claims, { verdict: 1, body: FAILED });
  });
  const read = (time: string) =>
    at(
      time,
      `select x.last_failure_at::text as failed, x.next_retry_at::text as next, x.ready_for_execution as ready,
         x.retry_eligible as eligible, x.backoff_request_seconds as seconds
       from tasker.get_step_readiness_status((select task_uuid from tasker.tasks where task_id = $1)) x order by x.name`,
      [taskId.toString()],
    );
  const failed = "2026-03-01 12:00:00";
  const next = "2026-03-01 12:00:20";
  const waiting = { failed, next, eligible: true, seconds: 20 };
  const [early] = await read("2026-03-01 12:00:19.999+00");
  expect(early).toEqual({ ...waiting, ready: false });
  const [due, over] = await read("2026-03-01 12:00:20+00");
  expect(due).toEqual({ ...waiting, ready: true });
  // The formula of contract/states.md section 3 for a step in error: 2^1 seconds, though nothing will try it again.
  expect(over).toEqual({
    failed,
    next: "2026-03-01 12:00:02",
    ready: false,
    eligible: false,
    seconds: null,
  });
});

test("every accepted result is audited with the transition that handed it over", async () => {
  const { host, uuid, claims } = await task([[]], { 0: { backoff: "none" } });
  await host.tick(claims, { verdict: 1, body: FAILED });
  const again = await host.tick([], { timerLimit: 9 });
  await host.tick(again.claims);
  const { rows } = await database.pool.query(
    `select a.success, t.from_state, t.to_state from tasker.workflow_step_result_audit a
     join tasker.workflow_step_transitions t on t.workflow_step_transition_uuid = a.workflow_step_transition_uuid
       and t.workflow_step_uuid = a.workflow_step_uuid
     where a.task_uuid = $1 order by t.sort_key`,
    [uuid],
  );
  expect(rows).toEqual([
    { success: false, from_state: "in_progress", to_state: "enqueued_as_error_for_orchestration" },
    { success: true, from_state: "in_progress", to_state: "enqueued_for_orchestration" },
  ]);
});
