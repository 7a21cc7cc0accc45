import { afterEach, describe, expect, test } from "vitest";
import {
  cancelTasks,
  checkpointSteps,
  deleteArchivedMessages,
  deleteFinishedTasks,
  resolveTasks,
  sweepLog,
} from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, SqlHost } from "../support/sql-host.js";

/** DATABASE section 6: finished tasks go after a while, with everything that belongs to them and with nothing else. */
const database = useTestDatabase();
const DAY = 86_400_000;
const NOTE = { workerId: null, actor: "test", reason: null } as const;

afterEach(() => assertIntegrity(database.pool));

let namespaces = 0;

async function newHost(shape: readonly (readonly number[])[] = [[]]): Promise<SqlHost> {
  namespaces += 1;
  const later = { initial: false, pending_dependencies: 0, children: [] };
  return await new SqlHost(database.pool).register(shape, {
    namespace: `old_${namespaces}`,
    ...(shape.length === 3 ? { steps: { 0: { children: [] }, 1: later, 2: later } } : {}),
  });
}

/** Tasks of one step that are complete. */
async function finished(host: SqlHost, count: number): Promise<bigint[]> {
  const created = await host.create(count);
  await host.finish(created);
  return created.created.map(({ taskId }) => taskId);
}

async function age(taskIds: readonly bigint[], days: number): Promise<void> {
  await database.pool.query(
    `update tasker_core.tasks set state_since = now() - make_interval(secs => $2) where task_id = any($1)`,
    [taskIds.map(String), days * 86_400],
  );
  await database.pool.query(
    `update tasker_core.task_requests set created_at = now() - make_interval(secs => $2) where task_id = any($1)`,
    [taskIds.map(String), days * 86_400 + 1],
  );
}

async function remove(limit = 500): Promise<number> {
  let deleted = 0;
  let after = 0n;
  do {
    const batch = await deleteFinishedTasks(database.pool, { ageMs: 10 * DAY, limit, after });
    expect(batch.deleted).toBeLessThanOrEqual(limit);
    deleted += batch.deleted;
    after = batch.nextAfter;
  } while (after !== 0n);
  return deleted;
}

async function left(taskIds: readonly bigint[]): Promise<bigint[]> {
  const { rows } = await database.pool.query<{ task_id: bigint }>(
    "select task_id from tasker_core.tasks where task_id = any($1) order by 1",
    [taskIds.map(String)],
  );
  return rows.map((row) => row.task_id);
}

/** Rows of each table that mention one of the tasks. */
async function traces(taskIds: readonly bigint[]): Promise<Record<string, number>> {
  const tables = {
    task_id: [
      "tasks",
      "task_requests",
      "task_identities",
      "operator_actions",
      "tasks_dlq",
      "task_log",
    ],
    step_id: ["steps", "step_results", "step_checkpoints", "step_timers", "step_log"],
    from_id: ["step_edges"],
  };
  const found: Record<string, number> = {};
  for (const [column, names] of Object.entries(tables)) {
    for (const table of names) {
      const key = column === "task_id" ? column : `${column} >> 20`;
      const { rows } = await database.pool.query<{ n: bigint }>(
        `select count(*) as n from tasker_core.${table} where ${key} = any($1)`,
        [taskIds.map(String)],
      );
      found[table] = Number(rows[0]?.n);
    }
  }
  return found;
}

async function sweep(): Promise<number> {
  let deleted = 0n;
  let from = 0n;
  do {
    const stretch = await sweepLog(database.pool, from);
    deleted += stretch?.deleted ?? 0n;
    from = stretch?.nextFrom ?? 0n;
  } while (from !== 0n);
  return Number(deleted);
}

test("a task goes when it has been final for the time given, and not before", async () => {
  const host = await newHost();
  const old = await finished(host, 3);
  const young = await finished(host, 3);
  await age(old, 10.01);
  await age(young, 9.99);
  expect(await remove()).toBe(3);
  expect(await left([...old, ...young])).toEqual(young);
});

test("every final state counts; whatever is open stays, however old", async () => {
  const host = await newHost();
  const complete = await finished(host, 1);
  const many = (await host.create(8, { free: 0 })).created.map(({ taskId }) => taskId);
  const [cancelled, resolved, expired, enqueued] = many as [bigint, bigint, bigint, bigint];
  await cancelTasks(database.pool, { ...NOTE, taskIds: [cancelled] });
  await resolveTasks(database.pool, { ...NOTE, taskIds: [resolved] });
  await database.pool.query(
    `select tasker.transition_stale_task_to_error(
       (select task_uuid from tasker_core.task_requests where task_id = $1), 'test')`,
    [expired.toString()],
  );
  const { claims } = await host.claim({ limit: 4 });
  const [, retrying, failing] = claims;
  await host.tick(retrying === undefined ? [] : [retrying], { verdict: 1, hintMs: 60_000 });
  await host.tick(failing === undefined ? [] : [failing], { verdict: 2 });
  const all = [...complete, ...many];
  const { rows } = await database.pool.query<{ state: string }>(
    "select state::text from tasker_core.tasks where task_id = any($1) order by task_id",
    [all.map(String)],
  );
  expect(rows.map((row) => row.state)).toEqual([
    ...["complete", "cancelled", "resolved_manually", "error"],
    ...["steps_in_process", "waiting_for_dependencies", "blocked_by_failures"],
    ...["steps_in_process", "steps_in_process"],
  ]);
  await age(all, 400);
  expect(await remove()).toBe(4);
  expect(await left(all)).toEqual(all.slice(4));
  expect(await left([enqueued])).toEqual([enqueued]);
});

test("everything that belongs to a task goes with it, the audit trail with the next sweep", async () => {
  const host = await newHost([[], [0], [1]]);
  const created = await host.create(2);
  const [gone, kept] = created.created.map(({ taskId }) => taskId) as [bigint, bigint];
  const plan = {
    steps: [2],
    workers: [{ name: "w", ordinal: 1, inputs: null, tolerated: false }],
    edges: [
      { from: 0, to: -1, name: "batch_dependency" },
      { from: -1, to: 2, name: "worker_to_convergence" },
    ],
  };
  for (const claim of created.claims) {
    const work = await host.tick([claim], { plan });
    const yielded = await checkpointSteps(database.pool, {
      workerId: host.workerId,
      reports: work.claims.map(({ stepId, token }) => ({
        stepId,
        token,
        body: Buffer.from('{"cursor":1,"items_processed":1,"accumulated_results":null}'),
      })),
      leaseMs: 10_000,
      historyLimit: 10,
    });
    const join = await host.tick(yielded.claims);
    await host.tick(join.claims, { verdict: 1, hintMs: 60_000 });
  }
  await cancelTasks(database.pool, { ...NOTE, taskIds: [gone, kept] });
  // Timers are withdrawn with the cancellation; one that was left behind goes too.
  await database.pool.query(
    "insert into tasker_core.step_timers select step_id, now(), 'retry' from tasker_core.steps where step_id >> 20 = any($1)",
    [[gone.toString(), kept.toString()]],
  );
  for (const task of [gone, kept])
    await database.pool.query(
      `update tasker_core.tasks_dlq set resolution_status = 'manually_resolved'
       where dlq_entry_uuid = (select tasker.create_dlq_entry(r.task_uuid)
         from tasker_core.task_requests r where r.task_id = $1)`,
      [task.toString()],
    );
  await database.pool.query(
    "update tasker_core.tasks_dlq set resolution_status = 'manually_resolved'",
  );
  const before = await traces([gone]);
  expect(Object.entries(before).filter(([, rows]) => rows === 0)).toEqual([]);
  const others = await traces([kept]);

  await age([gone], 11);
  expect(await remove()).toBe(1);
  const { task_log: tasks, step_log: steps, ...rest } = await traces([gone]);
  expect(Object.values(rest).every((rows) => rows === 0)).toBe(true);
  expect(await sweep()).toBeGreaterThanOrEqual((tasks ?? 0) + (steps ?? 0));
  expect(await traces([gone])).toMatchObject({ task_log: 0, step_log: 0 });
  expect(await traces([kept])).toEqual(others);
  expect(await sweep()).toBe(0);
});

test("a task whose investigation is pending stays until somebody has resolved it", async () => {
  const host = await newHost();
  const ids = await finished(host, 2);
  const [investigated] = ids as [bigint, bigint];
  await age(ids, 11);
  await database.pool.query(
    "select tasker.create_dlq_entry(task_uuid) from tasker_core.task_requests where task_id = $1",
    [investigated.toString()],
  );
  expect(await remove()).toBe(1);
  expect(await left(ids)).toEqual([investigated]);
  await database.pool.query(
    "update tasker_core.tasks_dlq set resolution_status = 'permanently_failed' where task_id = $1",
    [investigated.toString()],
  );
  expect(await remove()).toBe(1);
  expect(await left(ids)).toEqual([]);
});

test("an identity may be used again once its task is gone, and not before", async () => {
  const host = await newHost();
  const created = await host.create(1, { hashes: ["once"] });
  await host.finish(created);
  expect((await host.create(1, { hashes: ["once"] })).duplicates).toHaveLength(1);
  await age(
    created.created.map(({ taskId }) => taskId),
    11,
  );
  expect(await remove()).toBe(1);
  const again = await host.create(1, { hashes: ["once"] });
  expect(again.created).toHaveLength(1);
  await host.finish(again);
});

describe("batches", () => {
  test("are no larger than asked, and go on behind tasks that stay", async () => {
    const host = await newHost();
    const ids = await finished(host, 25);
    await age(ids, 11);
    // Every third stays.
    const kept = ids.filter((_, i) => i % 3 === 0);
    await age(kept, 1);
    expect(await remove(4)).toBe(ids.length - kept.length);
    expect(await left(ids)).toEqual(kept);
  });

  test("end where their steps would be too many, but hold one task at least", async () => {
    const host = await newHost(Array.from({ length: 10 }, () => []));
    const ids = await finished(host, 5);
    await age(ids, 11);
    const call = async (maxSteps: number) =>
      (
        await database.pool.query<{ deleted: number }>(
          "select deleted from tasker_core.delete_finished_tasks(now() - interval '10 days', 500, 0, 10000, $1)",
          [maxSteps],
        )
      ).rows[0]?.deleted;
    expect(await call(1)).toBe(1);
    expect(await call(25)).toBe(3);
    expect(await remove()).toBe(1);
  });

  test("pass over what somebody holds, and wait for nobody", async () => {
    const host = await newHost();
    const ids = await finished(host, 3);
    await age(ids, 11);
    const [, held] = ids as [bigint, bigint, bigint];
    const deleted = await database.pool.withConnection(async (other) => {
      await other.query("begin");
      await other.query("select from tasker_core.steps where step_id >> 20 = $1 for update", [
        held.toString(),
      ]);
      const count = await remove();
      await other.query("commit");
      return count;
    });
    expect(deleted).toBe(2);
    expect(await left(ids)).toEqual([held]);
    expect(await remove()).toBe(1);
  });

  test("are one host's at a time", async () => {
    const host = await newHost();
    await age(await finished(host, 1), 11);
    await database.pool.withConnection(async (other) => {
      await other.query("begin");
      await other.query(
        "select pg_advisory_xact_lock(hashtextextended('tasker.maintenance.retention', 0))",
      );
      expect(await remove()).toBe(0);
      await other.query("commit");
    });
    expect(await remove()).toBe(1);
  });
});

test("archived messages go by their own age", async () => {
  const host = await newHost();
  const archive = `pgmq.a_worker_old_${namespaces}_queue`;
  await database.pool.query(
    `insert into pgmq.q_worker_old_${namespaces}_queue (vt, message) select now(), '{"hello": "you"}' from generate_series(1, 2)`,
  );
  await host.claim();
  await database.pool.query(
    `update ${archive} set archived_at = now() - interval '11 days' where msg_id = (select min(msg_id) from ${archive})`,
  );
  expect(await deleteArchivedMessages(database.pool, 10 * DAY)).toBe(1n);
  const { rows } = await database.pool.query(`select count(*) as n from ${archive}`);
  expect(rows).toEqual([{ n: 1n }]);
});
