import pg from "pg";
import { expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";

const database = useTestDatabase();

test("a message is announced with its payload unless that is too long, and served one by one", async () => {
  const listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  const heard: { channel: string; payload: Record<string, unknown> }[] = [];
  listener.on("notification", ({ channel, payload }) => {
    heard.push({ channel, payload: JSON.parse(payload ?? "null") });
  });
  try {
    await listener.query('listen "pgmq_message_ready.sales"');
    await database.pool.query("select pgmq.create('worker_sales_queue')");
    const sent = await database.pool.query<{ id: bigint }>(
      `select tasker.pgmq_send_with_notify('worker_sales_queue', '{"a": 1}') as id`,
    );
    for (const length of [7_400, 9_000]) {
      await database.pool.query(
        `select tasker.pgmq_send_with_notify('worker_sales_queue', to_jsonb(repeat('x', $1)))`,
        [length],
      );
    }
    // Few characters, many bytes.
    await database.pool.query(
      `select tasker.pgmq_send_with_notify('worker_sales_queue', to_jsonb(repeat('ü', 6000)))`,
    );
    await database.pool.query(
      `select tasker.pgmq_send_batch_with_notify('worker_sales_queue', array['1', '2']::jsonb[])`,
    );
    await waitFor(() => heard.length === 5);
    expect(
      heard.map(({ payload: p }) => [
        p["event_type"],
        p["message"],
        p["truncated"],
        p["message_count"],
      ]),
    ).toEqual([
      ["message_with_payload", { a: 1 }, undefined, undefined],
      ["message_ready", undefined, undefined, undefined],
      ["message_ready", undefined, true, undefined],
      ["message_ready", undefined, undefined, undefined],
      ["batch_ready", undefined, undefined, 2],
    ]);

    const id = sent.rows[0]?.id.toString();
    const read = "select message from tasker.pgmq_read_specific_message('worker_sales_queue', $1)";
    expect((await database.pool.query(read, [id])).rows).toEqual([{ message: '{"a": 1}' }]);
    expect((await database.pool.query(read, [id])).rows).toEqual([]);
    const rest = await database.pool.query(
      `select tasker.pgmq_extend_vt_specific_message('worker_sales_queue', $1, 5) as extended,
         tasker.pgmq_extend_vt_specific_message('worker_sales_queue', 999) as missing`,
      [id],
    );
    expect(rest.rows).toEqual([{ extended: true, missing: false }]);
    const deleted = "select tasker.pgmq_delete_specific_message('worker_sales_queue', $1) as done";
    expect((await database.pool.query(deleted, [id])).rows).toEqual([{ done: true }]);
    expect((await database.pool.query(deleted, [id])).rows).toEqual([{ done: false }]);
  } finally {
    await listener.end();
  }
});

test("a bad name and a missing queue are refused", async () => {
  const read = "select * from tasker.pgmq_read_specific_message($1, 1)";
  await expect(database.pool.query(read, ['x"; drop'])).rejects.toThrow(/letters, digits/);
  await expect(database.pool.query(read, ["nowhere"])).rejects.toThrow(/does not exist/);
});

test("the namespace of a queue is read from its name", async () => {
  const { rows } = await database.pool.query<{ ns: string }>(
    `select tasker.extract_queue_namespace(q) as ns from unnest(
       '{orchestration_step_results,worker_sales_queue,sales_queue,odd}'::text[]) with ordinality u(q, n) order by n`,
  );
  expect(rows.map((row) => row.ns)).toEqual(["orchestration", "sales", "sales", "default"]);
});
