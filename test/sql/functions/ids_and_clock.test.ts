import { expect, test } from "vitest";
import { newUuid } from "../../../core/src/lib/uuid.js";
import { stepIdAt, stepIdOf, stepUuidOf, taskIdOf } from "../../../core/src/model/index.js";
import { useTestDatabase } from "../../support/test-database.js";

const database = useTestDatabase();

async function value<T>(text: string, values: readonly unknown[]): Promise<T> {
  const { rows } = await database.pool.query<{ value: T }>(`select ${text} as value`, values);
  return rows[0]?.value as T;
}

test.each([
  [1n, 0],
  [7n, 1_048_575],
  [4_398_046_511_103n, 12],
])("ids of step %i / %i are the same arithmetic in SQL and TypeScript", async (taskId, ordinal) => {
  const taskUuid = newUuid();
  const stepId = stepIdAt(taskId, ordinal);
  const stepUuid = stepUuidOf(taskUuid, stepId);
  expect(stepUuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(await value("tasker_core.step_uuid($1, $2)", [taskUuid, stepId.toString()])).toBe(
    stepUuid,
  );
  expect(await value("tasker_core.step_id_of($1)", [stepUuid])).toBe(stepId);
  expect(stepIdOf(stepUuid)).toBe(stepId);
  expect(taskIdOf(stepId)).toBe(taskId);
});

test("the clock of the functions can be set", async () => {
  const now = await database.pool.withConnection(async (connection) => {
    await connection.query("set tasker.now = '2026-01-02 03:04:05+00'");
    const { rows } = await connection.query<{ now: Date }>("select tasker.now() as now");
    await connection.query("reset tasker.now");
    return rows[0]?.now;
  });
  expect(now).toEqual(new Date("2026-01-02T03:04:05Z"));
});
