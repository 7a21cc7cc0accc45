import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { cancelTasks, resolveStepManually } from "../../../core/src/db/functions/index.js";
import { openPumpConnection, type PumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { assertIntegrity, DIAMOND, SqlHost } from "../support/sql-host.js";
import { NOTE } from "./step-in-state.js";

/** Operators' actions against the hot path, on two connections: they wait for each other and never deadlock. */
const database = useTestDatabase();
let ticker: PumpConnection;
let operator: PumpConnection;
let host: SqlHost;

beforeAll(async () => {
  ticker = await openPumpConnection(database.url);
  operator = await openPumpConnection(database.url);
  host = await new SqlHost(ticker).register(DIAMOND);
});
afterEach(() => assertIntegrity(database.pool));
afterAll(async () => {
  await Promise.all([ticker?.close(), operator?.close()]);
});

async function untilBlocked(connection: PumpConnection, pid: number): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await database.pool.query<{ blocked: boolean }>(
        "select cardinality(pg_blocking_pids($1)) > 0 as blocked",
        [pid],
      );
      return rows[0]?.blocked === true;
    },
    {
      timeoutMs: 5_000,
      describe: () => `${connection === ticker ? "the tick" : "the operator"} to wait`,
    },
  );
}

async function pidOf(connection: PumpConnection): Promise<number> {
  const { rows } = await connection.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid ?? 0;
}

async function running() {
  const created = await host.create(1);
  const { claims } = await host.tick(created.claims);
  return { taskId: created.created[0]?.taskId as bigint, claims };
}

test("a cancellation that waits for a tick cancels what the tick made ready", async () => {
  const { taskId, claims } = await running();
  const pid = await pidOf(operator);
  await ticker.query("begin");
  await host.tick(claims);
  const cancelling = cancelTasks(operator, { ...NOTE, taskIds: [taskId] });
  await untilBlocked(operator, pid);
  await ticker.query("commit");

  const [closed] = await cancelling;
  expect(closed).toMatchObject({ wasClosed: true, running: [{ stepId: (taskId << 20n) | 3n }] });
  expect(await host.states(taskId)).toEqual(["complete", "complete", "complete", "cancelled"]);
});

test("a tick that waits for a cancellation finds its results stale", async () => {
  const { taskId, claims } = await running();
  const pid = await pidOf(ticker);
  await operator.query("begin");
  await cancelTasks(operator, { ...NOTE, taskIds: [taskId] });
  const ticking = host.tick(claims);
  await untilBlocked(ticker, pid);
  await operator.query("commit");

  const outcome = await ticking;
  expect(outcome.verdicts.map((verdict) => verdict.status)).toEqual(["stale", "stale"]);
  expect(outcome.claims).toEqual([]);
  expect(await host.states(taskId)).toEqual(["complete", "cancelled", "cancelled", "cancelled"]);
});

test("a tick that holds a due timer and waits for its step does not deadlock with a cancellation", async () => {
  const { taskId, claims } = await running();
  await host.tick(claims, { verdict: 1 });
  const pid = await pidOf(ticker);
  await operator.query("begin");
  await operator.query(
    "select from tasker_core.steps where step_id >> 20 = $1 order by step_id for update",
    [taskId.toString()],
  );
  const ticking = host.tick([], { timerLimit: 10 });
  await untilBlocked(ticker, pid);
  await cancelTasks(operator, { ...NOTE, taskIds: [taskId] });
  await operator.query("commit");

  expect((await ticking).claims).toEqual([]);
  expect(await host.states(taskId)).toEqual(["complete", "cancelled", "cancelled", "cancelled"]);
  const { rowCount } = await database.pool.query("select from tasker_core.step_timers");
  expect(rowCount).toBe(0);
});

test("steps that are made while an operator waits for the task make the call repeat", async () => {
  const { taskId } = await running();
  const pid = await pidOf(operator);
  // As a plan does it: with the task locked, and steps that nobody else can know.
  await ticker.query("begin");
  await ticker.query(
    "update tasker_core.tasks set n_total = n_total + 1, next_ordinal = 5 where task_id = $1",
    [taskId.toString()],
  );
  await ticker.query(
    `insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
       max_attempts, retryable, created_at, updated_at)
     select step_id + 1, template_step_id, queue_id, callable_id, state, pending_dependencies, max_attempts,
       retryable, created_at, updated_at from tasker_core.steps where step_id = $1`,
    [((taskId << 20n) | 3n).toString()],
  );
  const cancelling = cancelTasks(operator, { ...NOTE, taskIds: [taskId] });
  const failed = expect(cancelling).rejects.toMatchObject({ code: "40001" });
  await untilBlocked(operator, pid);
  await ticker.query("commit");
  await failed;

  const [closed] = await cancelTasks(operator, { ...NOTE, taskIds: [taskId] });
  expect(closed?.wasClosed).toBe(true);
  expect((await host.states(taskId))[4]).toBe("cancelled");
});

test("two operators on one step: the second finds what the first made of it", async () => {
  const { taskId, claims } = await running();
  const stepId = claims[0]?.stepId as bigint;
  const pid = await pidOf(operator);
  await ticker.query("begin");
  await resolveStepManually(ticker, { ...NOTE, stepId });
  const second = resolveStepManually(operator, { ...NOTE, stepId });
  await untilBlocked(operator, pid);
  await ticker.query("commit");
  expect(await second).toMatchObject({ outcome: "done", fromState: "resolved_manually" });
  const { rows } = await database.pool.query<{ pending_dependencies: number }>(
    "select pending_dependencies from tasker_core.steps where step_id = $1",
    [((taskId << 20n) | 3n).toString()],
  );
  expect(rows[0]?.pending_dependencies).toBe(1);
});
