import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  assertSchemaUsable,
  type Migration,
  migrate,
  migrationStatus,
} from "../../core/src/db/index.js";
import { parseMigration } from "../../core/src/db/migrations.js";
import { createTestDatabase, type TestDatabase } from "../support/test-database.js";

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
});
afterEach(() => database.drop());

const make = (version: number, sql: string, header = "compatible"): Migration =>
  parseMigration(`${String(version).padStart(6, "0")}.sql`, `-- ${header}\n${sql}\n`);

const first = make(1, "create table public.one (id int)");
const second = make(2, "create table public.two (id int)");
const run = (...migrations: Migration[]) => migrate({ url: database.url, migrations });

async function exists(table: string): Promise<unknown> {
  const { rows } = await database.pool.query("select to_regclass($1) is not null as found", [
    table,
  ]);
  return rows[0]?.["found"];
}

describe("migrate", () => {
  it("applies what is missing, once, and records it", async () => {
    const initial = await run(first);
    expect(initial.applied.map(({ version }) => version)).toEqual([1]);
    expect(initial.current).toBe(1);

    const next = await run(first, second);
    expect(next.applied.map(({ version }) => version)).toEqual([2]);
    expect(next.current).toBe(2);

    const repeated = await run(first, second);
    expect(repeated).toMatchObject({ applied: [], current: 2 });
    const { rows } = await database.pool.query(
      "select version, name, checksum, breaking from tasker_core.schema_migrations order by version",
    );
    expect(rows).toEqual([
      { version: 1, name: "000001", checksum: first.checksum, breaking: null },
      { version: 2, name: "000002", checksum: second.checksum, breaking: null },
    ]);
  });

  it("rolls a failing file back whole, names its line, and keeps the earlier ones", async () => {
    const broken = make(2, "create table public.half (id int);\n\nselect * from nowhere;");
    await expect(run(first, broken)).rejects.toMatchObject({
      code: "MIGRATION_FAILED",
      message: expect.stringMatching(/000002, line 4, failed: relation "nowhere" does not exist/),
    });
    expect(await exists("public.half")).toBe(false);
    expect(await exists("public.one")).toBe(true);
    expect((await run(first, second)).applied.map(({ version }) => version)).toEqual([2]);
  });

  it("runs a file outside a transaction when its first line says so", async () => {
    const concurrent = make(
      2,
      "create index concurrently one_by_id on public.one (id)",
      "compatible (no transaction)",
    );
    await run(first, concurrent);
    expect(await exists("public.one_by_id")).toBe(true);
  });

  it("does not let a file's settings reach the next one", async () => {
    const setting = make(1, "set search_path to pg_catalog; create table public.one (id int)");
    const relying = make(2, "create table two (id int)");
    await run(setting, relying);
    expect(await exists("public.two")).toBe(true);
  });

  it("refuses an applied migration that was edited", async () => {
    await run(first);
    const edited = make(1, "create table public.other (id int)");
    await expect(run(edited, second)).rejects.toMatchObject({
      code: "MIGRATION_CHECKSUM_MISMATCH",
      message: expect.stringContaining("000001"),
    });
    expect(await exists("public.two")).toBe(false);
  });

  it("lets one of several processes work while the others wait", async () => {
    const slow = make(1, "select pg_sleep(0.3); create table public.one (id int)");
    const results = await Promise.all([run(slow, second), run(slow, second), run(slow, second)]);
    expect(results.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 2]);
    expect(results.map(({ current }) => current)).toEqual([2, 2, 2]);
  });

  it("stops waiting for another process when its signal aborts", async () => {
    await database.pool.withConnection(async (connection) => {
      await connection.query("select pg_advisory_lock(128009178342770)");
      const signal = AbortSignal.timeout(100);
      await expect(
        migrate({ url: database.url, migrations: [first], signal }),
      ).rejects.toMatchObject({ name: expect.stringMatching(/TimeoutError|AbortError/) });
      await connection.query("select pg_advisory_unlock_all()");
    });
    expect(await exists("public.one")).toBe(false);
  });
});

describe("migrationStatus", () => {
  it("says what is applied, pending and unknown, and changes nothing", async () => {
    const empty = await migrationStatus(database.pool, { migrations: [first, second] });
    expect(empty).toMatchObject({ current: 0, latest: 2, pending: [first, second], unknown: [] });
    expect(await exists("tasker_core.schema_migrations")).toBe(false);

    await run(first, second);
    const older = await migrationStatus(database.pool, { migrations: [first] });
    expect(older).toMatchObject({ current: 2, latest: 1, pending: [], mismatched: [] });
    expect(older.unknown.map(({ name }) => name)).toEqual(["000002"]);
  });
});

describe("assertSchemaUsable", () => {
  const breaking = make(2, "create table public.two (id int)", "breaking: two replaces one");

  it("refuses an older schema and names the command", async () => {
    await run(first);
    await expect(assertSchemaUsable(database.pool, [first, second])).rejects.toMatchObject({
      code: "SCHEMA_TOO_OLD",
      message: expect.stringMatching(/at version 1 but .* needs 2 .*tasker db migrate/),
    });
  });

  it("accepts the same schema and a newer compatible one", async () => {
    await run(first, second);
    await assertSchemaUsable(database.pool, [first, second]);
    await assertSchemaUsable(database.pool, [first]);
  });

  it("refuses a newer breaking schema and says why; so does migrate", async () => {
    await run(first, breaking);
    const expected = {
      code: "SCHEMA_TOO_NEW",
      message: expect.stringContaining("two replaces one"),
    };
    await expect(assertSchemaUsable(database.pool, [first])).rejects.toMatchObject(expected);
    await expect(run(first)).rejects.toMatchObject(expected);
  });

  it("refuses a schema that another build made", async () => {
    await run(first);
    const other = make(1, "create table public.other (id int)");
    await expect(assertSchemaUsable(database.pool, [other])).rejects.toMatchObject({
      code: "MIGRATION_CHECKSUM_MISMATCH",
    });
  });
});
