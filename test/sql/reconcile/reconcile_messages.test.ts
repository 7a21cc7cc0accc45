import { afterEach, expect, test } from "vitest";
import { reconcileMessages } from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

/** DATABASE section 5: a message lost changes nothing. */
const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

async function hostIn(namespace: string): Promise<SqlHost> {
  return await new SqlHost(database.pool).register([[]], { namespace });
}

async function purge(namespace: string): Promise<void> {
  await database.pool.query(`delete from pgmq.q_worker_${namespace}_queue`);
}

test("enqueued steps whose messages were purged can be claimed again", async () => {
  const host = await hostIn("purged");
  const created = await host.create(3, { free: 0 });
  await purge("purged");
  expect((await host.claim()).claims).toEqual([]);
  expect(await reconcileMessages(database.pool, 100, 0n)).toEqual({
    steps: 3,
    results: 0,
    nextAfter: 0n,
  });
  const claimed = await host.claim();
  expect(claimed.claims).toHaveLength(3);
  const { rested } = await host.finish({ ...created, claims: claimed.claims });
  expect(rested).toHaveLength(3);
});

test("a step whose worker and message are both gone is taken over", async () => {
  const host = await hostIn("expired");
  const created = await host.create(1);
  await purge("expired");
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(0);
  await database.pool.query(
    "update tasker_core.steps set leased_until = now() - interval '1 second' where step_id = $1",
    [created.claims[0]?.stepId.toString()],
  );
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(1);
  const again = await host.claim();
  expect(again.claims).toMatchObject([{ attempts: 1, deaths: 1 }]);
  expect((await host.finish({ ...created, claims: again.claims })).rested).toHaveLength(1);
});

test("steps that have their messages are left alone, and a second round finds nothing", async () => {
  const host = await hostIn("sound");
  await host.create(5, { free: 2 });
  const count = "select count(*) from pgmq.q_worker_sound_queue";
  const before = await database.pool.query(count);
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(0);
  expect((await database.pool.query(count)).rows).toEqual(before.rows);
  await purge("sound");
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(3);
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(0);
});

test("it looks at no more than asked, and goes on from there", async () => {
  const host = await hostIn("paged");
  await host.create(25, { free: 0 });
  await purge("paged");
  let after = 0n;
  const pages: number[] = [];
  do {
    const found = await reconcileMessages(database.pool, 10, after);
    pages.push(found.steps);
    after = found.nextAfter;
  } while (after !== 0n);
  // Steps of other tests stand in the first pages.
  expect(pages.reduce((sum, repaired) => sum + repaired, 0)).toBe(25);
  expect(Math.max(...pages)).toBeLessThanOrEqual(10);
});

test("a step that somebody holds is passed over", async () => {
  const host = await hostIn("held");
  const created = await host.create(1, { free: 0 });
  await purge("held");
  const found = await database.pool.withConnection(async (other) => {
    await other.query("begin");
    await other.query("select from tasker_core.steps where step_id >> 20 = $1 for update", [
      created.created[0]?.taskId.toString(),
    ]);
    const outcome = await reconcileMessages(database.pool, 100, 0n);
    await other.query("commit");
    return outcome;
  });
  expect(found.steps).toBe(0);
  expect((await reconcileMessages(database.pool, 100, 0n)).steps).toBe(1);
});
