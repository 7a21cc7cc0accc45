import { describe, expect, it } from "vitest";
import { createPool, openPumpConnection } from "../../../core/src/db/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";

const database = useTestDatabase();

async function one<T>(value: Promise<{ rows: { value: T }[] }>): Promise<T | undefined> {
  return (await value).rows[0]?.value;
}

const terminate = (name: string) =>
  database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()",
    [name],
  );

describe("column values", () => {
  const value = <T>(expression: string, ...values: unknown[]) =>
    one<T>(database.pool.query(`select ${expression} as value`, values));

  it("keep every digit of a bigint", async () => {
    expect(await value("9223372036854775807::bigint")).toBe(9223372036854775807n);
    expect(await value("array[1, null, -9223372036854775808]::bigint[]")).toEqual([
      1n,
      null,
      -9223372036854775808n,
    ]);
    expect(await value("7::int")).toBe(7);
  });

  it("hand JSON on unread", async () => {
    expect(await value(`'{"n": 12345678901234567890.10}'::jsonb`)).toBe(
      '{"n": 12345678901234567890.10}',
    );
    expect(await value(`'[1,  2]'::json`)).toBe("[1,  2]");
    expect(await value(`array['{"a": 1}', null]::jsonb[]`)).toEqual(['{"a": 1}', null]);
  });

  it("are dates for timestamptz and bytes for bytea", async () => {
    expect(await value("'2026-02-03T04:05:06.789Z'::timestamptz")).toEqual(
      new Date("2026-02-03T04:05:06.789Z"),
    );
    expect(await value("'\\x00ff'::bytea")).toEqual(Buffer.from([0, 255]));
    expect(await value("null::bigint")).toBeNull();
  });

  it("go in as bigint and as arrays of bigint", async () => {
    expect(await value("$1::bigint", 9007199254740993n)).toBe(9007199254740993n);
    expect(await value("$1::bigint[]", [9007199254740993n, null])).toEqual([
      9007199254740993n,
      null,
    ]);
  });
});

describe("a pool", () => {
  it("prepares a named statement once per connection", async () => {
    const pool = createPool({ url: database.url, max: 1 });
    try {
      for (const n of [1, 2, 3]) {
        expect(await one(pool.prepared("double", "select $1::int * 2 as value", [n]))).toBe(n * 2);
      }
      const { rows } = await pool.query("select name from pg_prepared_statements");
      expect(rows).toEqual([{ name: "double" }]);
      await expect(pool.prepared("double", "select 1")).rejects.toThrow(/double/);
    } finally {
      await pool.close();
    }
  });

  it("gives its connections the settings and the name it was made with", async () => {
    const pool = createPool({
      url: database.url,
      applicationName: "named",
      statementSettings: { statement_timeout: "1234ms", search_path: "pg_catalog, public" },
    });
    try {
      const { rows } = await pool.query(
        "select current_setting('statement_timeout') as timeout, current_setting('search_path') as path, current_setting('application_name') as name",
      );
      expect(rows).toEqual([{ timeout: "1234ms", path: "pg_catalog, public", name: "named" }]);
    } finally {
      await pool.close();
    }
  });

  it("survives the loss of an idle connection", async () => {
    const pool = createPool({ url: database.url, max: 1, applicationName: "idle-victim" });
    try {
      await pool.query("select 1");
      await terminate("idle-victim");
      await waitFor(() => pool.counts().lostWhileIdle === 1, {
        describe: "the loss to be counted",
      });
      expect(await one(pool.query("select 1 as value"))).toBe(1);
    } finally {
      await pool.close();
    }
  });

  it("reports the loss of a lent connection in the next statement, and replaces it", async () => {
    const pool = createPool({ url: database.url, max: 1, applicationName: "lent-victim" });
    try {
      const work = pool.withConnection(async (connection) => {
        await connection.query("select 1");
        await terminate("lent-victim");
        await waitFor(() =>
          connection.query("select 1").then(
            () => false,
            () => true,
          ),
        );
        return connection.query("select 2");
      });
      await expect(work).rejects.toThrow();
      expect(pool.counts().total).toBe(0);
      expect(await one(pool.query("select 1 as value"))).toBe(1);
    } finally {
      await pool.close();
    }
  });

  it("does not reuse a connection whose work failed", async () => {
    const pool = createPool({ url: database.url, max: 1 });
    try {
      const leaveSettingBehind = pool.withConnection(async (connection) => {
        await connection.query("set tasker.leftover = 'yes'");
        throw new Error("work failed");
      });
      await expect(leaveSettingBehind).rejects.toThrow("work failed");
      expect(
        await one(pool.query("select current_setting('tasker.leftover', true) as value")),
      ).toBeNull();
    } finally {
      await pool.close();
    }
  });

  it("says so when no connection comes free in time", async () => {
    const pool = createPool({ url: database.url, max: 1, acquireTimeoutMs: 50 });
    try {
      await pool.withConnection(async () => {
        await expect(pool.query("select 1")).rejects.toThrow(/timeout/i);
      });
    } finally {
      await pool.close();
    }
  });
});

describe("a pump connection", () => {
  it("has the planner settings of the hot path, which nobody else has", async () => {
    const settings = `select name, setting from pg_settings
      where name in ('plan_cache_mode', 'enable_seqscan', 'enable_mergejoin', 'enable_hashjoin') order by name`;
    const pump = await openPumpConnection(database.url);
    try {
      expect((await pump.query(settings)).rows).toEqual([
        { name: "enable_hashjoin", setting: "off" },
        { name: "enable_mergejoin", setting: "off" },
        { name: "enable_seqscan", setting: "off" },
        { name: "plan_cache_mode", setting: "force_generic_plan" },
      ]);
      expect((await database.pool.query(settings)).rows.map((row) => row["setting"])).toEqual([
        "on",
        "on",
        "on",
        "auto",
      ]);
    } finally {
      await pump.close();
    }
    expect(await pump.closed).toBeNull();
  });

  it("rejects the call in flight and all later ones when it is lost", async () => {
    const pump = await openPumpConnection(database.url, { applicationName: "pump-victim" });
    const inFlight = expect(pump.query("select pg_sleep(600)")).rejects.toMatchObject({
      code: "57P01",
    });
    await waitFor(
      async () =>
        (
          await database.pool.query(
            "select from pg_stat_activity where application_name = 'pump-victim' and state = 'active'",
          )
        ).rowCount === 1,
      { describe: "the call to run" },
    );
    await terminate("pump-victim");
    await inFlight;
    expect(await pump.closed).toBeInstanceOf(Error);
    await expect(pump.prepared("later", "select 1")).rejects.toThrow();
    await pump.close();
  });

  it("is not opened on a server that is not there", async () => {
    await expect(openPumpConnection("postgresql://u:p@127.0.0.1:1/d")).rejects.toMatchObject({
      code: "ECONNREFUSED",
    });
  });
});
