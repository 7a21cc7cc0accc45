import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../core/src/db/index.js";
import { packagedPgmq } from "../../core/src/db/pgmq-install.js";
import { createTestDatabase, type TestDatabase } from "../support/test-database.js";

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});
afterEach(() => database.drop());

const run = () => migrate({ url: database.url, migrations: [] });

async function offersExtension(): Promise<boolean> {
  const sql = "select from pg_available_extensions where name = 'pgmq'";
  return (await database.pool.query(sql)).rowCount === 1;
}

describe("PGMQ", () => {
  it("is installed by the way the server allows, recorded, and works", async () => {
    const { pgmq } = await run();
    expect(pgmq.method).toBe((await offersExtension()) ? "extension" : "sql");
    expect(pgmq.version).toMatch(/^1\.\d+\.\d+$/);
    const { rows } = await database.pool.query(
      "select method, version from tasker_core.pgmq_install",
    );
    expect(rows).toEqual([pgmq]);

    await database.pool.query("select pgmq.create('orders')");
    await database.pool.query(`select pgmq.send('orders', '{"id": 1}')`);
    const read = await database.pool.query(
      "select msg_id, message from pgmq.read('orders', 30, 1)",
    );
    expect(read.rows).toEqual([{ msg_id: 1n, message: '{"id": 1}' }]);
    const archived = await database.pool.query("select pgmq.archive('orders', 1::bigint) as done");
    expect(archived.rows).toEqual([{ done: true }]);
  });

  it("is left alone by a second run", async () => {
    const { pgmq } = await run();
    await database.pool.query("select pgmq.create('kept')");
    expect((await run()).pgmq).toEqual(pgmq);
    const { rows } = await database.pool.query("select queue_name from pgmq.list_queues()");
    expect(rows).toEqual([{ queue_name: "kept" }]);
  });

  it("that was there before is used as it is", async () => {
    const { sql } = await packagedPgmq();
    await database.pool.query(sql);
    expect((await run()).pgmq).toEqual({ method: "existing", version: null });
  });

  it("is not installed over a schema of the same name", async () => {
    await database.pool.query("create schema pgmq; create table pgmq.mine (id int)");
    await expect(run()).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringContaining("without a function pgmq.create"),
    });
    const { rows } = await database.pool.query(
      "select relname from pg_class where relnamespace = 'pgmq'::regnamespace",
    );
    expect(rows).toEqual([{ relname: "mine" }]);
  });

  it("is installed again where a dump brought only our record of it", async () => {
    await run();
    await database.pool.query("drop schema pgmq cascade");
    expect((await run()).pgmq.method).not.toBe("existing");
    await database.pool.query("select pgmq.create('orders')");
  });
});
