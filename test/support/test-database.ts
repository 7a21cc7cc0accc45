import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, inject } from "vitest";
import { createPool, type Pool } from "../../core/src/db/index.js";
import { waitFor } from "./wait-for.js";

export interface TestDatabase {
  readonly url: string;
  readonly pool: Pool;
  /**
   * Closes `pool` and drops the database.
   *
   * @throws when a connection that the test opened is still there two seconds later: the test leaks it.
   */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Connections of `pool` at most. Default 5. */
  readonly maxConnections?: number;
  /** Start from an empty database instead of the migrated template. */
  readonly empty?: boolean;
}

/** A database of its own for one test file, cloned from the template of this run. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${process.pid}_${randomBytes(4).toString("hex")}`;
  const template = options.empty === true ? "template0" : inject("postgresTemplate");
  await onServer((admin) => admin.query(`create database ${name} template ${template}`));
  const url = databaseUrl(name);
  const pool = createPool({
    url,
    max: options.maxConnections ?? 5,
    applicationName: "tasker-test-pool",
  });
  return {
    url,
    pool,
    drop: async () => {
      await pool.close();
      await onServer(async (admin) => {
        try {
          await assertNoConnections(admin, name);
        } finally {
          await admin.query(`drop database if exists ${name} with (force)`);
        }
      });
    },
  };
}

/**
 * Gives the calling file, or `describe` block, a database: created before its tests, dropped and checked for leaks after
 * them. Read `url` and `pool` inside tests and hooks only.
 */
export function useTestDatabase(
  options: TestDatabaseOptions = {},
): Pick<TestDatabase, "url" | "pool"> {
  let database: TestDatabase | undefined;
  beforeAll(async () => {
    database = await createTestDatabase(options);
  });
  afterAll(async () => {
    await database?.drop();
    database = undefined;
  });
  const current = (): TestDatabase => {
    if (database === undefined)
      throw new Error("useTestDatabase: no database outside tests and hooks");
    return database;
  };
  return {
    get url() {
      return current().url;
    },
    get pool() {
      return current().pool;
    },
  };
}

interface Activity {
  application_name: string;
  state: string | null;
  query: string;
}

async function assertNoConnections(admin: pg.Client, name: string): Promise<void> {
  let open: Activity[] = [];
  await waitFor(
    async () => {
      // Autovacuum may visit at any time and is nobody's leak.
      const { rows } = await admin.query<Activity>(
        "select application_name, state, query from pg_stat_activity where datname = $1 and backend_type = 'client backend'",
        [name],
      );
      open = rows;
      return rows.length === 0;
    },
    {
      timeoutMs: 2_000,
      describe: () =>
        `the connections to ${name} to be closed; still open: ${open
          .map(
            (row) =>
              `${row.application_name} (${row.state ?? "unknown"}, last: ${row.query.slice(0, 120)})`,
          )
          .join("; ")}`,
    },
  );
}

async function onServer<T>(work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({
    connectionString: inject("postgresAdminUrl"),
    application_name: "tasker-test-admin",
  });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function databaseUrl(name: string): string {
  const url = new URL(inject("postgresAdminUrl"));
  url.pathname = `/${name}`;
  return url.href;
}
