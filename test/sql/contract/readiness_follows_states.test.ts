import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { withTransaction } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, DIAMOND, type Shape, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

afterEach(() => assertIntegrity(database.pool));

async function uuidOf(taskId: bigint): Promise<string> {
  const { rows } = await database.pool.query<{ task_uuid: string }>(
    "select task_uuid from tasker.tasks where task_id = $1",
    [taskId.toString()],
  );
  return rows[0]?.task_uuid as string;
}

interface Readiness {
  readonly name: string;
  readonly current_state: string;
  readonly dependencies_satisfied: boolean;
  readonly retry_eligible: boolean;
  readonly ready_for_execution: boolean;
  readonly total_parents: number;
  readonly completed_parents: number;
  readonly attempts: number;
}

async function readiness(taskUuid: string, at?: string): Promise<Readiness[]> {
  return await withTransaction(database.pool, async (db) => {
    if (at !== undefined) await db.query(`set local tasker.now = '${at}'`);
    const { rows } = await db.query<Readiness & Record<string, unknown>>(
      `select name, current_state, dependencies_satisfied, retry_eligible, ready_for_execution, total_parents,
         completed_parents, attempts from tasker.get_step_readiness_status($1)`,
      [taskUuid],
    );
    return rows;
  });
}

const line = (row: Readiness | undefined) => (row === undefined ? [] : Object.values(row));

test("a diamond after its first branch: a parent outside the filter still counts", async () => {
  const host = await new SqlHost(database.pool).register(DIAMOND);
  const created = await host.create(1);
  const taskUuid = await uuidOf(created.created[0]?.taskId as bigint);
  const second = await host.tick(created.claims);
  await host.tick(second.claims.slice(0, 1));
  expect((await readiness(taskUuid)).map(line)).toEqual([
    ["step_0", "complete", true, true, false, 0, 0, 1],
    ["step_1", "complete", true, true, false, 1, 1, 1],
    ["step_2", "in_progress", true, true, false, 1, 1, 1],
    ["step_3", "pending", false, true, false, 2, 1, 0],
  ]);
  const { rows } = await database.pool.query(
    `select name, completed_parents, tasker.check_step_dependencies(workflow_step_uuid) as satisfied
     from tasker.get_step_readiness_status($1, array(
       select workflow_step_uuid from tasker.workflow_steps where task_uuid = $1 and name = 'step_3'))`,
    [taskUuid],
  );
  expect(rows).toEqual([{ name: "step_3", completed_parents: 1, satisfied: false }]);
});

test("a step in backoff is ready once its timer is due, a failed one never", async () => {
  const host = await new SqlHost(database.pool).register([[], [0]], {
    steps: { 0: { backoff: "linear", backoff_base_ms: 20_000, max_attempts: 2 } },
  });
  const waiting = await host.create(1);
  const taskUuid = await uuidOf(waiting.created[0]?.taskId as bigint);
  await host.tick(waiting.claims, { verdict: 1, body: '{"success":false}' });
  const [first] = await readiness(taskUuid);
  expect(line(first)).toEqual(["step_0", "waiting_for_retry", true, true, false, 0, 0, 1]);
  const [later] = await readiness(taskUuid, "2100-01-01 00:00:00+00");
  expect(later?.ready_for_execution).toBe(true);

  const failing = await host.create(1);
  const failedUuid = await uuidOf(failing.created[0]?.taskId as bigint);
  await host.tick(failing.claims, { verdict: 2, body: '{"success":false}' });
  const failed = await readiness(failedUuid, "2100-01-01 00:00:00+00");
  expect(failed.map(line)).toEqual([
    ["step_0", "error", true, true, false, 0, 0, 1],
    ["step_1", "pending", false, true, false, 1, 0, 0],
  ]);
});

test("edges made at run time count as those of the template do", async () => {
  const later = { initial: false, pending_dependencies: 0, children: [] };
  const host = await new SqlHost(database.pool).register([[], [0], [0], [1, 2]], {
    steps: { 0: { children: [] }, 1: later, 2: later, 3: later },
  });
  const created = await host.create(1);
  const taskUuid = await uuidOf(created.created[0]?.taskId as bigint);
  const edge = (from: number, to: number) => ({ from, to, name: "provides" });
  await host.tick(created.claims, {
    plan: { steps: [1, 3], workers: [], edges: [edge(0, 1), edge(1, 3)] },
  });
  expect((await readiness(taskUuid)).map(line)).toEqual([
    ["step_0", "complete", true, true, false, 0, 0, 1],
    ["step_1", "in_progress", true, true, false, 1, 1, 1],
    ["step_3", "pending", false, true, false, 1, 0, 0],
  ]);
  const { rows } = await database.pool.query(
    `select dependency_level from tasker.calculate_dependency_levels($1) order by 1`,
    [taskUuid],
  );
  expect(rows).toEqual([{ dependency_level: 0 }, { dependency_level: 1 }, { dependency_level: 2 }]);
});

/** Dependencies of node i are a subset of the nodes before it. */
const dags = fc
  .integer({ min: 1, max: 7 })
  .chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, i) =>
        i === 0 ? fc.constant<number[]>([]) : fc.subarray(Array.from({ length: i }, (_, k) => k)),
      ),
    ),
  );

test("readiness and levels of random graphs at random progress agree with a model", async () => {
  await fc.assert(
    fc.asyncProperty(dags, fc.array(fc.nat(6), { maxLength: 8 }), async (graph, picks) => {
      const shape: Shape = graph;
      const host = await new SqlHost(database.pool).register(shape);
      const created = await host.create(1);
      const taskUuid = await uuidOf(created.created[0]?.taskId as bigint);
      let held = created.claims;
      const done = new Set<number>();
      for (const pick of picks) {
        const claim = held[pick % Math.max(1, held.length)];
        if (claim === undefined) break;
        const outcome = await host.tick([claim]);
        done.add(claim.templateOrdinal);
        held = [...held.filter((other) => other !== claim), ...outcome.claims];
      }
      const running = new Set(held.map((claim) => claim.templateOrdinal));
      const levels: number[] = [];
      for (const parents of shape) {
        levels.push(Math.max(0, ...parents.map((parent) => (levels[parent] as number) + 1)));
      }
      const model = shape.map((parents, i) => {
        const completed = parents.filter((parent) => done.has(parent)).length;
        const state = done.has(i) ? "complete" : running.has(i) ? "in_progress" : "pending";
        const satisfied = completed === parents.length;
        const ready = state === "pending" && satisfied;
        const attempts = state === "pending" ? 0 : 1;
        return [`step_${i}`, state, satisfied, true, ready, parents.length, completed, attempts];
      });
      expect((await readiness(taskUuid)).map(line)).toEqual(model);
      const { rows } = await database.pool.query<{ dependency_level: number }>(
        `select l.dependency_level from tasker.calculate_dependency_levels($1) l order by l.workflow_step_uuid`,
        [taskUuid],
      );
      expect(rows.map((row) => row.dependency_level)).toEqual(levels);
    }),
    { numRuns: 25 },
  );
});
