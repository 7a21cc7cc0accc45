import { expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { LINEAR, SqlHost } from "../support/sql-host.js";

const database = useTestDatabase();

test("a task's summary names its pending DLQ entry, and only a pending one", async () => {
  const host = await new SqlHost(database.pool).register(LINEAR);
  const created = await host.create(1);
  const { rows: tasks } = await database.pool.query<{ task_uuid: string }>(
    "select task_uuid from tasker.tasks where task_id = $1",
    [created.created[0]?.taskId.toString()],
  );
  const taskUuid = tasks[0]?.task_uuid;
  const dlq = async (): Promise<unknown> => {
    const { rows } = await database.pool.query<{ dlq: string }>(
      "select tasker.get_task_summary($1) -> 'dlq' as dlq",
      [taskUuid],
    );
    return JSON.parse(rows[0]?.dlq ?? "null");
  };

  expect(await dlq()).toEqual({ in_dlq: false, dlq_reason: null, resolution_status: null });
  await database.pool.query("select tasker.create_dlq_entry($1)", [taskUuid]);
  expect(await dlq()).toEqual({
    in_dlq: true,
    dlq_reason: "manual_dlq",
    resolution_status: "pending",
  });
  await database.pool.query(
    "update tasker_core.tasks_dlq set resolution_status = 'manually_resolved'",
  );
  expect(await dlq()).toEqual({ in_dlq: false, dlq_reason: null, resolution_status: null });
});
