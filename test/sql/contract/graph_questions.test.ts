import { expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { DIAMOND, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

async function diamond() {
  const host = await new SqlHost(database.pool).register(DIAMOND);
  await host.create(1);
  const { rows } = await database.pool.query<{ id: string }>(
    `select workflow_step_uuid as id from tasker.workflow_steps
     where step_id >> 20 = (select max(task_id) from tasker.tasks) order by step_id`,
  );
  return rows.map((row) => row.id);
}

test("ancestors come with their distance, and only an edge back closes a cycle", async () => {
  const [first, left, right, join] = await diamond();
  const { rows } = await database.pool.query(
    "select step_name, distance from tasker.get_step_transitive_dependencies($1)",
    [join],
  );
  expect(rows).toEqual([
    { step_name: "step_1", distance: 1 },
    { step_name: "step_2", distance: 1 },
    { step_name: "step_0", distance: 2 },
  ]);
  const cycles = await database.pool.query(
    `select tasker.detect_cycle($1, $2) as back, tasker.detect_cycle($2, $1) as forth,
       tasker.detect_cycle($3, $4) as sideways, tasker.detect_cycle($1, $1) as itself`,
    [join, first, left, right],
  );
  expect(cycles.rows).toEqual([{ back: true, forth: false, sideways: false, itself: true }]);
});

test("the graph view names parents, children and depth", async () => {
  const [first, left, right, join] = await diamond();
  const { rows } = await database.pool.query(
    `select array(select jsonb_array_elements_text(parent_step_uuids)) as parents,
       array(select jsonb_array_elements_text(child_step_uuids)) as children, parent_count::int, child_count::int, is_root_step, is_leaf_step,
       min_depth_from_root from tasker.step_dag_relationships
     where workflow_step_uuid = any($1) order by workflow_step_uuid`,
    [[first, left, right, join]],
  );
  expect(rows.map((row) => Object.values(row))).toEqual([
    [[], [left, right], 0, 2, true, false, 0],
    [[first], [join], 1, 1, false, false, 1],
    [[first], [join], 1, 1, false, false, 1],
    [[left, right], [], 2, 0, false, true, 2],
  ]);
});

test("a uuid that carries a step's number under another task's half names no step", async () => {
  const [step] = await diamond();
  const foreign = `00000000-0000-7000-${step?.slice(19)}`;
  const { rows } = await database.pool.query(
    "select tasker.check_step_dependencies($1) as own, tasker.check_step_dependencies($2) as other",
    [step, foreign],
  );
  expect(rows).toEqual([{ own: true, other: null }]);
});
