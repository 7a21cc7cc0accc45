import { expect, test } from "vitest";
import { openPumpConnection, type Queryable } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { DIAMOND, LINEAR, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
const TASKS = 60_000;

/**
 * The trap: statistics say "three rows", the plan is cached, then the table grows. With joins or a sequential scan one
 * call went from milliseconds to hundreds of them. Here the same connection keeps its plans over the growth.
 */
test("statistics from three rows, then a big table: the cached plans read as few rows as before", async () => {
  const pump = await openPumpConnection(database.url);
  const host = await new SqlHost(pump).register(LINEAR);
  await host.finish(await host.create(3));
  await host.claim();
  for (const table of [
    "steps",
    "tasks",
    "task_requests",
    "step_results",
    "template_steps",
    "step_timers",
  ]) {
    await database.pool.query(`analyze tasker_core.${table}`);
    // Statistics stay what they are, however the table grows.
    await database.pool.query(`alter table tasker_core.${table} set (autovacuum_enabled = off)`);
  }
  // Every statement of every path is planned now, on the small statistics.
  for (let i = 0; i < 8; i += 1) {
    const created = await host.create(4, { free: 2 });
    const claimed = await host.claim();
    await host.tick([...created.claims, ...claimed.claims], { verdict: 1 });
    await host.finish(await host.tick([], { timerLimit: 50 }));
  }
  const small = await rowsRead(pump, () => round(host));

  await grow();
  const big = await rowsRead(pump, () => round(host));
  await pump.close();

  // A plan that scans would read every row of the big tables: hundreds of thousands.
  expect(big.fetched).toBeLessThan(small.fetched * 3 + 1000);
  expect(big.fetched).toBeGreaterThan(0);
  expect(big.sequential).toBe(0);
});

test("no hot function scans a table from end to end", async () => {
  const pump = await openPumpConnection(database.url);
  const host = await new SqlHost(pump).register(DIAMOND);
  const { sequential } = await rowsRead(pump, async () => {
    await host.finish(await host.create(10));
  });
  await pump.close();
  expect(sequential).toBe(0);
});

/** 50 tasks alive at once through create, retry, claim and completion. */
async function round(host: SqlHost): Promise<void> {
  const created = await host.create(50, { free: 25 });
  const claimed = await host.claim();
  expect(created.claims.length + claimed.claims.length).toBe(50);
  await host.tick([...created.claims, ...claimed.claims], { verdict: 1 });
  const woken = await host.tick([], { timerLimit: 100 });
  const { steps } = await host.finish(woken);
  expect(steps).toBe(200);
}

/** Rows that index scans fetched from the heap, and sequential scans, of the tables that grow. */
async function rowsRead(
  pump: Queryable,
  work: () => Promise<void>,
): Promise<{ fetched: number; sequential: number }> {
  const before = await counters(pump);
  await work();
  const after = await counters(pump);
  return {
    fetched: Number(after.fetched - before.fetched),
    sequential: Number(after.sequential - before.sequential),
  };
}

async function counters(pump: Queryable): Promise<{ fetched: bigint; sequential: bigint }> {
  // A backend reports its counters when it has been quiet for a while; this makes it do so at once.
  await pump.query("select pg_stat_force_next_flush()");
  const { rows } = await database.pool.query<{ fetched: bigint; sequential: bigint }>(
    `select sum(idx_tup_fetch)::bigint as fetched, sum(seq_scan)::bigint as sequential from pg_stat_user_tables
     where schemaname = 'tasker_core' and relname in ('steps', 'tasks', 'task_requests', 'step_results')`,
  );
  return rows[0] as { fetched: bigint; sequential: bigint };
}

/** Finished tasks, written as they would look. */
async function grow(): Promise<void> {
  await database.pool.query(
    `with ids as (
       select nextval('tasker_core.task_id_seq') as task_id from generate_series(1, ${TASKS})
     ), t as (
       insert into tasker_core.tasks (task_id, template_id, state, n_total, n_complete, next_ordinal, state_since,
         completed_at)
       select task_id, 1, 'complete', 4, 4, 4, now(), now() from ids returning task_id
     ), r as (
       insert into tasker_core.task_requests (task_id, task_uuid, named_task_id, correlation_id, priority, requested_at,
         created_at, initiator, source_system, reason, tags, context, identity_hash)
       select task_id, gen_random_uuid(), 1, gen_random_uuid(), 0, now(), now(), 'x', 'x', 'x', '[]', '{}', task_id
       from t returning task_id
     ), s as (
       insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
         attempts, max_attempts, retryable, lease_token, processed_at, created_at, updated_at)
       select (task_id << 20) + o, 1 << 20, 5, 1, 'complete', 0, 1, 3, true, 1, now(), now(), now()
       from t, generate_series(0, 3) o returning step_id
     )
     insert into tasker_core.step_results (step_id, token, recorded_at, worker_id, success, retryable, execution_ms, body)
     select step_id, 1, now(), 1, true, false, 1, '{}' from s`,
  );
}
