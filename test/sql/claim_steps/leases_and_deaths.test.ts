import { afterEach, expect, test } from "vitest";
import type { ClaimedStep } from "../../../core/src/db/functions/index.js";
import {
  reconcileWorker,
  releaseSteps,
  renewLeases,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, LINEAR, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

async function host(namespace: string): Promise<SqlHost> {
  return await new SqlHost(database.pool).register(LINEAR, { namespace });
}

/** Moves the leases and messages of everything into the past. */
async function expireAll(namespace: string): Promise<void> {
  await database.pool.query(
    "update tasker_core.steps set leased_until = now() - interval '1 second' where state = 'in_progress'",
  );
  await database.pool.query(
    `update pgmq.q_worker_${namespace}_queue set vt = now() - interval '1 second'`,
  );
}

test("an expired lease is taken over with a new token, a death and no further attempt", async () => {
  const owner = await host("expiry");
  const created = await owner.create(1);
  const [held] = created.claims;
  expect((await owner.claim()).claims).toEqual([]);

  await expireAll("expiry");
  const taken = await owner.claim();
  expect(taken.claims).toMatchObject([
    { stepId: held?.stepId, token: 2, attempts: 1, deaths: 1, solo: true, verdict: "claim" },
  ]);
  const late = await owner.tick(created.claims);
  expect(late.verdicts[0]?.status).toBe("stale");
  const { rested } = await owner.finish({ ...created, claims: taken.claims });
  expect(rested.map((task) => task.state)).toEqual(["complete"]);
});

test("a step that kills its process again and again is handed out as poisoned", async () => {
  const owner = await host("poison");
  await owner.create(1);
  const verdicts: string[] = [];
  for (let death = 0; death < 3; death += 1) {
    await expireAll("poison");
    verdicts.push((await owner.claim()).claims[0]?.verdict ?? "none");
  }
  expect(verdicts).toEqual(["claim", "claim", "poisoned"]);
});

test("a step that was given back with its last death is given up, whoever releases it and however it comes back", async () => {
  const owner = await host("last_death");
  const created = await owner.create(3);
  await database.pool.query(
    "update tasker_core.steps set deaths = 2, solo = true where step_id = any($1)",
    [created.claims.map(({ stepId }) => stepId.toString())],
  );
  const [died, drained, failed] = created.claims as [ClaimedStep, ClaimedStep, ClaimedStep];
  const given = { isSuspect: true, token: 1 };
  await releaseSteps(database.pool, [
    { ...given, stepId: died.stepId, isDeath: true },
    { ...given, stepId: drained.stepId, isDeath: false },
  ]);
  // The third fails and is tried again: with deaths to its name it goes through the queue, not from hand to hand.
  const retried = await owner.tick([failed], { verdict: 1 });
  expect([retried.claims, (await owner.tick([], { timerLimit: 10 })).claims]).toEqual([[], []]);
  await database.pool.query("update tasker_core.steps set deaths = 3 where step_id = $1", [
    failed.stepId.toString(),
  ]);
  const again = await owner.claim();
  expect(again.claims.map(({ stepId, verdict, deaths }) => [stepId, verdict, deaths])).toEqual([
    [died.stepId, "poisoned", 3],
    [drained.stepId, "claim", 2],
    [failed.stepId, "poisoned", 3],
  ]);
  // A lost reply brings them back once more, still as poisoned.
  expect(await reconcileWorker(database.pool, owner.workerId, [])).toBe(3);
  expect((await owner.claim()).claims.map(({ verdict }) => verdict)).toEqual([
    "poisoned",
    "claim",
    "poisoned",
  ]);
});

test("a released step comes back at once, without an attempt; only a lonely death counts", async () => {
  const owner = await host("release");
  const created = await owner.create(2);
  const [alone, beside] = created.claims;
  const released = await releaseSteps(database.pool, [
    { stepId: alone?.stepId as bigint, token: 1, isDeath: true, isSuspect: true },
    { stepId: beside?.stepId as bigint, token: 1, isDeath: false, isSuspect: true },
  ]);
  expect(released).toBe(2);
  const again = await owner.claim();
  expect(
    again.claims.map(({ attempts, deaths, solo, token }) => ({ attempts, deaths, solo, token })),
  ).toEqual([
    { attempts: 1, deaths: 1, solo: true, token: 3 },
    { attempts: 1, deaths: 0, solo: true, token: 3 },
  ]);
  expect(
    await releaseSteps(database.pool, [
      { stepId: alone?.stepId as bigint, token: 1, isDeath: true, isSuspect: true },
    ]),
  ).toBe(0);
});

test("renewal keeps row and message together and names what was lost", async () => {
  const owner = await host("renewal");
  const created = await owner.create(2);
  const [kept, other] = created.claims;
  const lost = await renewLeases(
    database.pool,
    owner.workerId,
    [
      { stepId: kept?.stepId as bigint, token: kept?.token ?? 0 },
      { stepId: other?.stepId as bigint, token: (other?.token ?? 0) + 1 },
    ],
    60_000,
  );
  expect(lost).toEqual([other?.stepId]);
  const { rows } = await database.pool.query<{ same: boolean }>(
    `select s.leased_until = q.vt and q.vt > now() + interval '50 seconds' as same
     from tasker_core.steps s join pgmq.q_worker_renewal_queue q on q.msg_id = s.message_id where s.step_id = $1`,
    [kept?.stepId.toString()],
  );
  expect(rows).toEqual([{ same: true }]);
});

test("after a lost reply, what the worker does not hold becomes readable at once", async () => {
  const owner = await host("reconcile");
  const created = await owner.create(3);
  const [held] = created.claims;
  const released = await reconcileWorker(database.pool, owner.workerId, [
    { stepId: held?.stepId as bigint, token: held?.token ?? 0 },
  ]);
  expect(released).toBe(2);
  expect((await owner.claim()).claims).toHaveLength(2);
});

test("a duplicated or stray message changes nothing", async () => {
  const owner = await host("stray");
  const created = await owner.create(1, { free: 0 });
  await database.pool.query(
    `insert into pgmq.q_worker_stray_queue (vt, message)
     select now(), message from pgmq.q_worker_stray_queue, generate_series(1, 2)
     union all select now(), '{"hello": "world"}'::jsonb`,
  );
  const claimed = await owner.claim();
  expect(claimed.claims).toHaveLength(1);
  const { rested } = await owner.finish({ ...created, claims: claimed.claims });
  expect(rested).toHaveLength(1);
  await database.pool.query("update pgmq.q_worker_stray_queue set vt = now()");
  expect((await owner.claim()).claims).toEqual([]);
  const { rows } = await database.pool.query<{ waiting: bigint; archived: bigint }>(
    `select (select count(*) from pgmq.q_worker_stray_queue) as waiting,
       (select count(*) from pgmq.a_worker_stray_queue) as archived`,
  );
  expect(rows).toEqual([{ waiting: 0n, archived: 1n }]);
});

test("a callable that no live worker runs waits, then is handed out as unroutable", async () => {
  const owner = await new SqlHost(database.pool).register([[]], {
    namespace: "routing",
    steps: { 0: { callable: "nobody.knows" } },
  });
  const created = await owner.create(1);
  expect([created.claims.length, created.queued]).toEqual([0, 1]);
  expect((await owner.claim()).scanned).toBe(0);
  expect((await owner.claimUnroutable(60_000)).claims).toEqual([]);
  const given = await owner.claimUnroutable(0);
  expect(given.claims.map((claim) => claim.verdict)).toEqual(["unroutable"]);
});

test("a callable that another live worker runs is left to it, however long it waits", async () => {
  const owner = await new SqlHost(database.pool).register([[]], {
    namespace: "others",
    steps: { 0: { callable: "theirs" } },
  });
  const other = new SqlHost(database.pool);
  other.namespaceId = owner.namespaceId;
  await other.join(["theirs"]);
  await owner.create(1);
  expect((await owner.claimUnroutable(0)).claims).toEqual([]);
  expect((await other.claim()).claims.map((claim) => claim.verdict)).toEqual(["claim"]);
});

test("steps of a pool without room do not hide the work behind them", async () => {
  const owner = await new SqlHost(database.pool).register([[], []], {
    namespace: "crowded",
    steps: { 0: { callable: "slow" }, 1: { callable: "fast" } },
  });
  await owner.join(["slow", "fast"]);
  await owner.create(6, { free: 0 });
  const { rows } = await database.pool.query<{ name: string }>(
    "select name from tasker_core.callables where name in ('slow', 'fast') order by callable_id",
  );
  const free = rows.map((row) => (row.name === "fast" ? 4 : 0));
  const claimed = await owner.claim({ free, limit: 4 });
  expect(claimed.claims.map((claim) => claim.templateOrdinal)).toEqual([1, 1, 1, 1]);
});

test("a message from outside, without a route, finds the worker that can run its step", async () => {
  const owner = await new SqlHost(database.pool).register([[]], {
    namespace: "outside",
    steps: { 0: { callable: "elsewhere" } },
  });
  await owner.create(1);
  await database.pool.query("update pgmq.q_worker_outside_queue set headers = null");
  expect((await owner.claim()).claims).toEqual([]);
  const able = new SqlHost(database.pool);
  able.namespaceId = owner.namespaceId;
  await able.join(["elsewhere"]);
  expect((await able.claim()).claims).toHaveLength(1);
});
