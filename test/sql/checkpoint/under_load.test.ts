import { expect, test } from "vitest";
import {
  type ClaimedStep,
  checkpointSteps,
  loadCheckpoints,
} from "../../../core/src/db/functions/index.js";
import { openPumpConnection, type Queryable } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();
const GROWN = 60_000;

async function store(db: Queryable, host: SqlHost, claims: readonly ClaimedStep[]) {
  return await checkpointSteps(db, {
    workerId: host.workerId,
    reports: claims.map(({ stepId, token }) => ({
      stepId,
      token,
      body: Buffer.from('{"cursor":1,"items_processed":1,"accumulated_results":{"sum":1}}'),
    })),
    leaseMs: 10_000,
    historyLimit: 3,
  });
}

test("a yield that waited for the step to be cancelled is stale", async () => {
  const pump = await openPumpConnection(database.url);
  const other = await openPumpConnection(database.url);
  const { rows } = await pump.query<{ pid: number }>("select pg_backend_pid() as pid");
  const host = await new SqlHost(database.pool).register([[]], { namespace: "cancelled" });
  const { claims } = await host.create(1);

  await other.query("begin");
  await other.query("update tasker_core.steps set state = 'cancelled' where step_id = $1", [
    claims[0]?.stepId.toString(),
  ]);
  const yielding = store(pump, host, claims);
  const isBlocked = async (): Promise<boolean> => {
    const answer = await database.pool.query<{ blocked: boolean }>(
      "select cardinality(pg_blocking_pids($1)) > 0 as blocked",
      [rows[0]?.pid],
    );
    return answer.rows[0]?.blocked === true;
  };
  await waitFor(isBlocked, { describe: "the yield to wait for the step's row" });
  await other.query("commit");

  const outcome = await yielding;
  expect([outcome.verdicts[0]?.status, outcome.claims]).toEqual(["stale", []]);
  const ids = claims.map(({ stepId }) => stepId);
  expect(await loadCheckpoints(database.pool, ids)).toEqual(new Map());
  await Promise.all([pump.close(), other.close()]);
});

test("statistics from three rows, then big tables: a yield reads as few rows as before", async () => {
  const pump = await openPumpConnection(database.url);
  const host = await new SqlHost(pump).register([[]], { namespace: "growing" });
  await store(pump, host, (await host.create(3)).claims);
  for (const table of ["steps", "step_checkpoints"]) {
    await database.pool.query(`analyze tasker_core.${table}`);
    await database.pool.query(`alter table tasker_core.${table} set (autovacuum_enabled = off)`);
  }
  let { claims } = await host.create(40);
  // Every statement is planned now, on the small statistics.
  for (let i = 0; i < 8; i += 1) claims = (await store(pump, host, claims)).claims;
  const small = await rowsRead(async () => {
    claims = (await store(pump, host, claims)).claims;
  });

  await database.pool.query(
    `with s as (
       insert into tasker_core.steps (step_id, template_step_id, queue_id, callable_id, state, pending_dependencies,
         attempts, max_attempts, retryable, lease_token, processed_at, created_at, updated_at)
       select (10000000 + n)::bigint << 20, 1 << 20, 5, 1, 'complete', 0, 1, 3, true, 1, now(), now(), now()
       from generate_series(1, ${GROWN}) n returning step_id
     )
     insert into tasker_core.step_checkpoints (step_id, stored_at, cursor, items_processed, history)
     select step_id, now(), '1', 1, '{}' from s`,
  );
  const big = await rowsRead(async () => {
    claims = (await store(pump, host, claims)).claims;
    expect(claims).toHaveLength(40);
  });
  expect(big.fetched).toBeGreaterThan(0);
  expect(big.fetched).toBeLessThan(small.fetched * 3 + 1000);
  expect(big.sequential).toBe(0);

  for (const table of ["step_checkpoints", "steps"])
    await database.pool.query(`delete from tasker_core.${table} where step_id >> 20 > 10000000`);
  await host.tick(claims);
  await pump.close();
});

test("the same yields from four connections at once: one of them is stored, none deadlocks", async () => {
  const connections = await Promise.all(
    Array.from({ length: 4 }, () => openPumpConnection(database.url)),
  );
  const host = await new SqlHost(database.pool).register([[]], { namespace: "crowded" });
  const { claims } = await host.create(60);
  const outcomes = await Promise.all(connections.map((db) => store(db, host, claims)));
  const won = outcomes.flatMap((outcome) => outcome.claims);
  expect(won).toHaveLength(60);
  expect(won.every(({ token }) => token === 2)).toBe(true);
  await host.tick(won);
  await Promise.all(connections.map((connection) => connection.close()));
  // The cancelled step of the first test was changed past every function.
  await database.pool.query(
    "update tasker_core.steps set state = 'in_progress' where state = 'cancelled'",
  );
  await assertIntegrity(database.pool);
});

/** Rows fetched through indexes, and sequential scans, of the tables that a yield changes. */
async function rowsRead(work: () => Promise<void>) {
  const before = await counters();
  await work();
  const after = await counters();
  return {
    fetched: Number(after.fetched - before.fetched),
    sequential: Number(after.sequential - before.sequential),
  };
}

async function counters(): Promise<{ fetched: bigint; sequential: bigint }> {
  // Backends report their counters with a delay of up to a second; this asks for them afterwards.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const { rows } = await database.pool.query<{ fetched: bigint; sequential: bigint }>(
    `select sum(idx_tup_fetch)::bigint as fetched, sum(seq_scan)::bigint as sequential from pg_stat_user_tables
     where schemaname = 'tasker_core' and relname in ('steps', 'step_checkpoints')`,
  );
  return rows[0] as { fetched: bigint; sequential: bigint };
}
