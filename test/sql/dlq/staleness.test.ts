import { afterEach, expect, test } from "vitest";
import { detectStaleTasks, type StalenessRound } from "../../../core/src/db/functions/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { assertIntegrity, LINEAR, type Shape, SqlHost } from "../support/sql-host.js";

/** Gap 9: lifecycle limits and `staleness_action` are enforced. */
const database = useTestDatabase();

afterEach(async () => {
  await assertIntegrity(database.pool);
  // A task that one test leaves behind is no find of the next.
  await database.pool.query("update tasker_core.tasks set state_since = now()");
  await database.pool.query("update tasker_core.task_requests set created_at = now()");
});

const ROUND: StalenessRound = {
  limits: {
    waitingForDependencies: 60,
    waitingForRetry: 30,
    stepsInProcess: 30,
    maxLifetimeHours: 24,
  },
  batchSize: 100,
  isDryRun: false,
  enforceLifecycle: true,
};

async function hostWith(lifecycle: unknown, shape: Shape = LINEAR): Promise<SqlHost> {
  const host = await new SqlHost(database.pool).register(shape);
  await database.pool.query(
    `update tasker_core.templates set compiled =
       jsonb_set(compiled::jsonb, '{configuration,lifecycle}', $2::jsonb)::json where template_id = $1`,
    [host.templateId, JSON.stringify(lifecycle)],
  );
  return host;
}

/** Makes the task look as if nothing had happened to it for so long. */
async function backdate(taskId: bigint, minutes: number): Promise<void> {
  for (const statement of [
    "update tasker_core.tasks set state_since = now() - make_interval(mins => $2) where task_id = $1",
    "update tasker_core.steps set updated_at = now() - make_interval(mins => $2) where step_id >> 20 = $1",
  ]) {
    await database.pool.query(statement, [taskId.toString(), minutes]);
  }
}

async function age(taskId: bigint, minutes: number): Promise<void> {
  await database.pool.query(
    "update tasker_core.task_requests set created_at = now() - make_interval(mins => $2) where task_id = $1",
    [taskId.toString(), minutes],
  );
}

async function entriesOf(taskId: bigint) {
  const { rows } = await database.pool.query<{
    dlq_reason: string;
    original_state: string;
    status: string;
    snapshot: string;
  }>(
    `select d.dlq_reason::text, d.original_state, d.resolution_status::text as status, d.task_snapshot::text as snapshot
     from tasker.tasks_dlq d join tasker.tasks t using (task_uuid) where t.task_id = $1 order by d.dlq_timestamp`,
    [taskId.toString()],
  );
  return rows;
}

async function oneTask(host: SqlHost, free = 1000) {
  const created = await host.create(1, { free });
  return { taskId: created.created[0]?.taskId as bigint, claims: created.claims };
}

test("a stale task gets an entry and ends in error, and nothing of it runs any more", async () => {
  const host = await hostWith(null);
  const { taskId, claims } = await oneTask(host);
  await backdate(taskId, 31);

  const found = await detectStaleTasks(database.pool, ROUND);

  expect(found).toMatchObject([
    { taskId, action: "transitioned_to_dlq_and_error", fromState: "steps_in_process" },
  ]);
  expect(await host.taskState(taskId)).toBe("error");
  expect(await host.states(taskId)).toEqual(["cancelled", "cancelled", "cancelled", "cancelled"]);
  const [entry, ...others] = await entriesOf(taskId);
  expect(others).toEqual([]);
  expect(entry).toMatchObject({
    dlq_reason: "staleness_timeout",
    original_state: "steps_in_process",
    status: "pending",
  });
  expect(JSON.parse(entry?.snapshot ?? "")).toMatchObject({
    state: "steps_in_process",
    steps: { total: 4, in_pipeline: 1 },
    open_steps: [{ name: "step_0", state: "in_progress" }, {}, {}, {}],
  });
  const late = await host.tick(claims);
  expect([late.verdicts[0]?.status, late.claims]).toEqual(["stale", []]);
  expect((await host.claim()).claims).toEqual([]);
  expect(await detectStaleTasks(database.pool, ROUND)).toEqual([]);
});

test("a dry run says what it would do and changes nothing", async () => {
  const host = await hostWith(null);
  const { taskId } = await oneTask(host);
  await backdate(taskId, 31);
  const { rows } = await database.pool.query<{ action_taken: string }>(
    "select action_taken from tasker.detect_and_transition_stale_tasks()",
  );
  expect(rows).toEqual([{ action_taken: "would_transition_to_dlq_and_error" }]);
  expect(await host.taskState(taskId)).toBe("steps_in_process");
  expect(await entriesOf(taskId)).toEqual([]);
});

test.each([
  [{ staleness_action: "dlq" }, "error", 1, "transitioned_to_dlq_and_error"],
  [{ staleness_action: "error" }, "error", 0, "transitioned_to_error_only"],
  [{ staleness_action: "none" }, "steps_in_process", 0, undefined],
  [{ auto_fail_on_timeout: false }, "steps_in_process", 1, "moved_to_dlq_only"],
  [{ auto_dlq_on_timeout: false }, "error", 0, "transitioned_to_error_only"],
])("the template decides: %j", async (lifecycle, state, entries, action) => {
  const host = await hostWith(lifecycle);
  const { taskId } = await oneTask(host);
  await backdate(taskId, 31);
  const found = await detectStaleTasks(database.pool, ROUND);
  expect(found.map((task) => task.action)).toEqual(action === undefined ? [] : [action]);
  expect(await host.taskState(taskId)).toBe(state);
  expect(await entriesOf(taskId)).toHaveLength(entries);
  // A task that stays is found once, not in every round.
  expect(await detectStaleTasks(database.pool, ROUND)).toEqual([]);
});

test("under the compatibility profile every stale task gets both, and max_duration has no effect", async () => {
  const host = await hostWith({ staleness_action: "none", max_duration_minutes: 5 });
  const [stale, old] = [await oneTask(host), await oneTask(host)];
  await backdate(stale.taskId, 31);
  await age(old.taskId, 6);
  const found = await detectStaleTasks(database.pool, { ...ROUND, enforceLifecycle: false });
  expect(found).toMatchObject([{ taskId: stale.taskId, action: "transitioned_to_dlq_and_error" }]);
});

test("the limits of the template win over the configured ones", async () => {
  const strict = await oneTask(await hostWith({ max_steps_in_process_minutes: 5 }));
  const patient = await oneTask(await hostWith({ max_steps_in_process_minutes: 100 }));
  await backdate(strict.taskId, 6);
  await backdate(patient.taskId, 90);
  const found = await detectStaleTasks(database.pool, ROUND);
  expect(found.map((task) => task.taskId)).toEqual([strict.taskId]);
});

test("a task that waits for a retry has that limit; it ends from waiting_for_dependencies", async () => {
  const host = await hostWith({ max_waiting_for_retry_minutes: 2 });
  const { taskId, claims } = await oneTask(host);
  await host.tick(claims, { verdict: 1, hintMs: 3_600_000 });
  expect(await host.taskState(taskId)).toBe("waiting_for_dependencies");
  await backdate(taskId, 3);
  const found = await detectStaleTasks(database.pool, ROUND);
  expect(found).toMatchObject([{ taskId, wasEnded: true }]);
  expect((await host.states(taskId))[0]).toBe("cancelled");
});

test("max_duration_minutes and the global lifetime end tasks however busy they are", async () => {
  const short = await oneTask(await hostWith({ max_duration_minutes: 10 }));
  const long = await oneTask(await hostWith({ max_duration_minutes: 40_000 }));
  const young = await oneTask(await hostWith({ max_duration_minutes: 10 }));
  await age(short.taskId, 11);
  await age(long.taskId, 24 * 60 + 1);
  await age(young.taskId, 9);
  const found = await detectStaleTasks(database.pool, ROUND);
  expect(found.map((task) => task.taskId).sort()).toEqual([short.taskId, long.taskId].sort());
});

test("a task whose steps go on is not standing still, whatever its own state has been", async () => {
  const host = await hostWith(null, [[], [], []]);
  const { taskId, claims } = await oneTask(host);
  await host.tick(claims.slice(0, 1));
  expect(await host.taskState(taskId)).toBe("evaluating_results");
  await backdate(taskId, 600);
  await host.tick(claims.slice(1, 2));
  expect(await detectStaleTasks(database.pool, ROUND)).toEqual([]);
  await backdate(taskId, 31);
  expect(await detectStaleTasks(database.pool, ROUND)).toMatchObject([{ taskId, wasEnded: true }]);
});

test("blocked and final tasks are not watched", async () => {
  const host = await hostWith(null, [[]]);
  const [blocked, done] = [await oneTask(host), await oneTask(host)];
  await host.tick(blocked.claims, { verdict: 2 });
  await host.tick(done.claims);
  for (const { taskId } of [blocked, done]) {
    await backdate(taskId, 600);
    await age(taskId, 10_000);
  }
  expect(await detectStaleTasks(database.pool, ROUND)).toEqual([]);
});

test("a pending entry hides its task, one about a failed step does not; neither is doubled", async () => {
  const host = await hostWith(null);
  const [manual, isolated] = [await oneTask(host), await oneTask(host)];
  const open = `select tasker.create_dlq_entry((select task_uuid from tasker.tasks where task_id = $1), $2) as entry`;
  await database.pool.query(open, [manual.taskId.toString(), "manual_dlq"]);
  await database.pool.query(open, [isolated.taskId.toString(), "max_retries_exceeded"]);
  await backdate(manual.taskId, 31);
  await backdate(isolated.taskId, 31);
  expect(await detectStaleTasks(database.pool, ROUND)).toMatchObject([
    { taskId: isolated.taskId, action: "transitioned_to_error_only" },
  ]);
  expect(await entriesOf(manual.taskId)).toHaveLength(1);
  expect(await entriesOf(isolated.taskId)).toHaveLength(1);
});

test("a second request for an entry is answered with the pending one; after its resolution a new one is made", async () => {
  const host = await hostWith(null);
  const { taskId } = await oneTask(host);
  const open = async () => {
    const { rows } = await database.pool.query<{ entry: string }>(
      "select tasker.create_dlq_entry(task_uuid) as entry from tasker.tasks where task_id = $1",
      [taskId.toString()],
    );
    return rows[0]?.entry;
  };
  const first = await open();
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  expect(await open()).toBe(first);
  await database.pool.query(
    "update tasker_core.tasks_dlq set resolution_status = 'cancelled', resolution_timestamp = now() where dlq_entry_uuid = $1",
    [first],
  );
  expect(await open()).not.toBe(first);
});

test("a task that goes on while detection waits for it is left alone", async () => {
  const host = await hostWith(null);
  const { taskId } = await oneTask(host);
  await backdate(taskId, 31);
  const detection = await database.pool.withConnection(async (other) => {
    await other.query("begin");
    // Somebody works on the step: its row is held, and changed by the commit.
    await other.query("update tasker_core.steps set updated_at = now() where step_id >> 20 = $1", [
      taskId.toString(),
    ]);
    const waiting = detectStaleTasks(database.pool, ROUND);
    await waitFor(somebodyWaits, { describe: "detection to wait for the step" });
    await other.query("commit");
    return await waiting;
  });
  expect(detection).toMatchObject([{ taskId, action: "transition_failed", wasEnded: false }]);
  expect(await host.taskState(taskId)).toBe("steps_in_process");
  expect(await entriesOf(taskId)).toEqual([]);
});

test("while one host looks, another does nothing", async () => {
  const host = await hostWith(null);
  const { taskId } = await oneTask(host);
  await backdate(taskId, 31);
  const found = await database.pool.withConnection(async (other) => {
    await other.query("begin");
    await other.query(
      "select pg_advisory_xact_lock(hashtextextended('tasker.maintenance.staleness', 0))",
    );
    const none = await detectStaleTasks(database.pool, ROUND);
    await other.query("commit");
    return none;
  });
  expect(found).toEqual([]);
  expect(await host.taskState(taskId)).toBe("steps_in_process");
});

test("the views show what an operator asks for", async () => {
  const host = await hostWith({ max_steps_in_process_minutes: 10 });
  const tasks = [await oneTask(host), await oneTask(host), await oneTask(host)];
  for (const [i, minutes] of [1, 9, 11].entries()) {
    await backdate(tasks[i]?.taskId as bigint, minutes);
  }
  const uuids = tasks.map(({ taskId }) => taskId.toString());
  const monitoring = await database.pool.query<{ health_status: string }>(
    `select m.health_status from tasker.v_task_staleness_monitoring m join tasker.tasks t using (task_uuid)
     where t.task_id = any($1)`,
    [uuids],
  );
  expect(monitoring.rows.map((row) => row.health_status)).toEqual(["stale", "warning", "healthy"]);

  await detectStaleTasks(database.pool, ROUND);
  const queue = await database.pool.query<{ current_state: string; urgent: boolean }>(
    `select q.current_state, q.priority_score >= 100 as urgent
     from tasker.v_dlq_investigation_queue q join tasker.tasks t using (task_uuid) where t.task_id = any($1)`,
    [uuids],
  );
  expect(queue.rows).toEqual([{ current_state: "error", urgent: true }]);
  const dashboard = await database.pool.query<{ consistent: boolean }>(
    `select total_entries = pending + manually_resolved + permanent_failures + cancelled as consistent
     from tasker.v_dlq_dashboard where dlq_reason = 'staleness_timeout'`,
  );
  expect(dashboard.rows).toEqual([{ consistent: true }]);
  const analysis = await database.pool.query<{ counted: bigint }>(
    `select sum(task_count)::bigint as counted from tasker.v_task_state_analysis a
     join tasker_core.named_tasks n on n.name = a.task_name
     join tasker_core.templates p on p.named_task_id = n.named_task_id where p.template_id = $1`,
    [host.templateId],
  );
  expect(analysis.rows).toEqual([{ counted: 3n }]);
});

async function somebodyWaits(): Promise<boolean> {
  const { rows } = await database.pool.query<{ waiting: boolean }>(
    `select exists (select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock') as waiting`,
  );
  return rows[0]?.waiting === true;
}
