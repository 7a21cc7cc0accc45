import { fileURLToPath } from "node:url";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { readMigrations } from "../../core/src/db/index.js";
import { createTestDatabase, useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";

const database = useTestDatabase();

describe("a test database", () => {
  it("has PGMQ and the migrations, and is nobody else's", async () => {
    const { rows } = await database.pool.query(`select
      (select count(*)::int from tasker_core.pgmq_install) as pgmq,
      (select count(*)::int from tasker_core.schema_migrations) as migrations`);
    const known = await readMigrations(
      fileURLToPath(new URL("../../sql/migrations", import.meta.url)),
    );
    expect(rows).toEqual([{ pgmq: 1, migrations: known.length }]);
    const other = await createTestDatabase();
    expect(other.url).not.toBe(database.url);
    await other.pool.query("create table mine (id int)");
    const { rows: seen } = await database.pool.query("select to_regclass('mine') as mine");
    expect(seen).toEqual([{ mine: null }]);
    await other.drop();
  });

  it("complains about a connection that the test leaves open, and is dropped all the same", async () => {
    const leaky = await createTestDatabase();
    const leak = new pg.Client({ connectionString: leaky.url, application_name: "the-leak" });
    leak.on("error", () => undefined);
    await leak.connect();
    await expect(leaky.drop()).rejects.toThrow(/still open: the-leak \(idle/);
    const again = new pg.Client({ connectionString: leaky.url });
    await expect(again.connect()).rejects.toMatchObject({ code: "3D000" });
    await leak.end().catch(() => undefined);
  });
});

describe("waitFor", () => {
  it("returns the first truthy value", async () => {
    let calls = 0;
    expect(await waitFor(() => (++calls === 3 ? "third" : null), { intervalMs: 1 })).toBe("third");
  });

  it("says what it waited for, with the last error as cause", async () => {
    const failing = waitFor(() => Promise.reject(new Error("not yet")), {
      timeoutMs: 20,
      intervalMs: 5,
      describe: () => "the moon",
    });
    await expect(failing).rejects.toMatchObject({
      message: "Timed out after 20 ms waiting for the moon",
      cause: expect.objectContaining({ message: "not yet" }),
    });
  });
});
