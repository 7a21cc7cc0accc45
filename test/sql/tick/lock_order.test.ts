import { expect, test } from "vitest";
import { openPumpConnection, type PumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { assertIntegrity, DIAMOND, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

/** Which backend waits for which: proves that the second call is blocked on rows of the first, not elsewhere. */
async function isBlocked(connection: { pid: number }): Promise<boolean> {
  const { rows } = await database.pool.query<{ blocked: boolean }>(
    "select cardinality(pg_blocking_pids($1)) > 0 as blocked",
    [connection.pid],
  );
  return rows[0]?.blocked === true;
}

async function withPid(connection: PumpConnection): Promise<PumpConnection & { pid: number }> {
  const { rows } = await connection.query<{ pid: number }>("select pg_backend_pid() as pid");
  return { ...connection, pid: rows[0]?.pid ?? 0 };
}

test("two ticks over the same tasks in opposite order wait for each other and never deadlock", async () => {
  const [first, second] = await Promise.all(
    [1, 2].map(async () => withPid(await openPumpConnection(database.url))),
  );
  if (first === undefined || second === undefined) throw new Error("no connections");
  const host = await new SqlHost(first).register(DIAMOND);
  const created = await host.create(20);
  const middle = await host.tick(created.claims);
  const left = middle.claims.filter((_, i) => i % 2 === 0);
  const right = middle.claims.filter((_, i) => i % 2 === 1).reverse();

  // The first keeps its transaction open: it has locked its steps, their joins and their tasks.
  await first.query("begin");
  await host.tick(left);
  const other = await sharedWorker(host, second);
  const blocked = other.tick(right);
  await waitFor(() => isBlocked(second), {
    timeoutMs: 5_000,
    describe: () => "the second tick to wait",
  });
  await first.query("commit");
  const joined = await blocked;

  // Both parents counted once each: the joins became ready in the second call only.
  expect(joined.claims).toHaveLength(20);
  expect(joined.verdicts.every((verdict) => verdict.status === "committed")).toBe(true);
  await assertIntegrity(database.pool);
  await Promise.all([first.close(), second.close()]);
});

test("a claimer that holds an expired message and a tick that holds its step do not deadlock", async () => {
  const [claimer, ticker] = await Promise.all(
    [1, 2].map(async () => withPid(await openPumpConnection(database.url))),
  );
  if (claimer === undefined || ticker === undefined) throw new Error("no connections");
  const host = await new SqlHost(ticker).register([[]], { namespace: "lock_claim" });
  const created = await host.create(1);
  await database.pool.query(
    "update tasker_core.steps set leased_until = now() - interval '1 second'",
  );
  await database.pool.query(
    "update pgmq.q_worker_lock_claim_queue set vt = now() - interval '1 second'",
  );

  // Step first: the tick holds the step and has not reached the message.
  await ticker.query("begin");
  await ticker.query("select from tasker_core.steps where step_id = $1 for update", [
    created.claims[0]?.stepId.toString(),
  ]);
  const claiming = (await sharedWorker(host, claimer)).claim();
  await waitFor(() => isBlocked(claimer), {
    timeoutMs: 5_000,
    describe: () => "the claimer to wait",
  });
  const accepted = await host.tick(created.claims);
  await ticker.query("commit");

  expect(accepted.verdicts[0]?.status).toBe("committed");
  expect((await claiming).claims).toEqual([]);
  await assertIntegrity(database.pool);
  await Promise.all([claimer.close(), ticker.close()]);
});

test("a normal load meets no deadlock: four connections, the same tasks", async () => {
  const pumps = await Promise.all([1, 2, 3, 4].map(() => openPumpConnection(database.url)));
  const host = await new SqlHost(pumps[0] as PumpConnection).register(DIAMOND, {
    namespace: "crowd",
  });
  await host.create(100, { free: 0 });
  const before = await deadlocks();
  let finished = 0;
  await Promise.all(
    pumps.map(async (pump) => {
      const mine = await sharedWorker(host, pump);
      while (finished < 100) {
        const claimed = await mine.claim({ limit: 15 });
        const { rested } = await mine.finish(claimed);
        finished += rested.length;
        if (claimed.scanned === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }),
  );
  expect(finished).toBe(100);
  expect(await deadlocks()).toBe(before);
  await assertIntegrity(database.pool);
  await Promise.all(pumps.map((pump) => pump.close()));
});

async function deadlocks(): Promise<bigint> {
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const { rows } = await database.pool.query<{ deadlocks: bigint }>(
    "select deadlocks from pg_stat_database where datname = current_database()",
  );
  return rows[0]?.deadlocks ?? -1n;
}

/** The same template through another connection, as another worker. */
async function sharedWorker(host: SqlHost, db: PumpConnection): Promise<SqlHost> {
  const other = new SqlHost(db);
  other.templateId = host.templateId;
  other.namespaceId = host.namespaceId;
  await other.join(["work"]);
  return other;
}
