import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { DatabaseError, messageOf } from "../errors/index.js";
import { MIGRATIONS } from "./generated/migrations.js";
import { type AppliedMigration, type MigrationStatus, readStatus } from "./migration-status.js";
import { type Migration, readMigrations } from "./migrations.js";
import { installPgmq, type PgmqInstallation } from "./pgmq-install.js";
import { type Queryable, queryableOver } from "./pool.js";
import { typeParsers } from "./type-parsers.js";

export interface MigrateOptions {
  readonly url: string;
  /** Default: the migrations this package was built with. */
  readonly migrations?: readonly Migration[];
  /** Read the migrations from this directory instead. */
  readonly dir?: string;
  /** Gives up waiting for another process that migrates. A running migration is finished first. */
  readonly signal?: AbortSignal;
  readonly logger?: { info(message: string): void };
}

export interface MigrateResult {
  /** What this call did, in order; empty when the schema was current. */
  readonly applied: readonly AppliedMigration[];
  /** Version of the schema now; 0 for none. */
  readonly current: number;
  readonly pgmq: PgmqInstallation;
}

/** `tasker` in ASCII: the key of the advisory lock that lets one process migrate a database at a time. */
const LOCK_KEY = "128009178342770";
const LOCK_POLL_MS = 50;

/**
 * Installs PGMQ where it is missing and applies the migrations that are missing, each in a transaction of its own. Safe
 * to call from several processes at once: one works, the others wait and find nothing to do.
 *
 * @throws DatabaseError `MIGRATION_CHECKSUM_MISMATCH` when an applied migration was edited, `MIGRATION_FAILED` naming the
 * file that failed (earlier ones stay applied), `SCHEMA_TOO_NEW` when the schema is newer than these migrations and
 * breaking.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const migrations = await migrationsOf(options);
  const client = new pg.Client({
    connectionString: options.url,
    application_name: "tasker-migrate",
    connectionTimeoutMillis: 10_000,
    types: typeParsers,
  });
  // A connection that dies between two statements is reported by the next one.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const connection = queryableOver(client);
    await takeLock(connection, options.signal);
    const pgmq = await inTransaction(connection, () => prepare(connection));
    const status = await readStatus(connection, migrations);
    refuseMismatch(status);
    for (const migration of status.pending) {
      await apply(connection, migration);
      options.logger?.info(`Applied migration ${migration.name}`);
    }
    const current = Math.max(status.current, ...status.pending.map(({ version }) => version));
    return { applied: status.pending.map(asApplied), current, pgmq };
  } finally {
    // Ends the session, and with it the advisory lock.
    await client.end().catch(() => undefined);
  }
}

/** What {@link migrate} would find and do. Changes nothing. */
export async function migrationStatus(
  database: Queryable,
  options: Pick<MigrateOptions, "migrations" | "dir"> = {},
): Promise<MigrationStatus> {
  return readStatus(database, await migrationsOf(options));
}

async function migrationsOf(
  options: Pick<MigrateOptions, "migrations" | "dir">,
): Promise<readonly Migration[]> {
  if (options.dir !== undefined) return readMigrations(options.dir);
  return options.migrations ?? MIGRATIONS;
}

// Polled rather than waited for: a waiting statement holds a snapshot, and `create index concurrently` in the process
// that has the lock would wait for that snapshot for ever.
async function takeLock(connection: Queryable, signal: AbortSignal | undefined): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const { rows } = await connection.query<{ taken: boolean }>(
      "select pg_try_advisory_lock($1) as taken",
      [LOCK_KEY],
    );
    if (rows[0]?.taken === true) return;
    await sleep(LOCK_POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}

async function prepare(connection: Queryable): Promise<PgmqInstallation> {
  await connection.query(`
    create schema if not exists tasker_core;
    create table if not exists tasker_core.schema_migrations (
      version integer primary key,
      name text not null,
      checksum text not null,
      breaking text,
      applied_at timestamptz not null default now()
    );
    comment on column tasker_core.schema_migrations.breaking is
      'why older processes must not run on this schema; null when they may'`);
  return installPgmq(connection);
}

async function apply(connection: Queryable, migration: Migration): Promise<void> {
  const record = (): Promise<unknown> =>
    connection.query(
      "insert into tasker_core.schema_migrations (version, name, checksum, breaking) values ($1, $2, $3, $4)",
      [migration.version, migration.name, migration.checksum, migration.breaking],
    );
  try {
    if (!migration.transactional) {
      await connection.query(migration.sql);
      await record();
      return;
    }
    await inTransaction(connection, async () => {
      await connection.query(migration.sql);
      await record();
    });
    // Settings that the file changed end with it.
    await connection.query("reset all");
  } catch (cause) {
    throw new DatabaseError(
      "MIGRATION_FAILED",
      `Migration ${migration.name}${lineOf(cause, migration.sql)} failed: ${messageOf(cause)}. ${
        migration.transactional
          ? "It was rolled back."
          : "It runs outside a transaction: check what it left behind."
      } Earlier migrations stay applied; run \`tasker db migrate\` again after the repair.`,
      { cause, context: { file: `${migration.name}.sql` } },
    );
  }
}

/** Postgres counts characters from 1 in the whole text of the call. */
function lineOf(error: unknown, sql: string): string {
  const position = Number((error as { position?: string }).position);
  return position > 0 ? `, line ${sql.slice(0, position - 1).split("\n").length},` : "";
}

async function inTransaction<T>(connection: Queryable, work: () => Promise<T>): Promise<T> {
  await connection.query("begin");
  try {
    const result = await work();
    await connection.query("commit");
    return result;
  } catch (error) {
    await connection.query("rollback").catch(() => undefined);
    throw error;
  }
}

function refuseMismatch(status: MigrationStatus): void {
  const edited = status.mismatched[0];
  if (edited !== undefined) {
    throw new DatabaseError(
      "MIGRATION_CHECKSUM_MISMATCH",
      `Migration ${edited.name} was applied with checksum ${edited.appliedChecksum} but now has ${edited.checksum}. Applied migrations are never edited: restore the file and put the change into a new one.`,
      { context: { file: `${edited.name}.sql` } },
    );
  }
  const breaking = status.unknown.find((migration) => migration.breaking !== null);
  if (breaking !== undefined) {
    throw new DatabaseError(
      "SCHEMA_TOO_NEW",
      `The schema has migration ${breaking.name}, which this version of Tasker does not know and which breaks older versions: ${breaking.breaking}. Update Tasker.`,
    );
  }
}

function asApplied({ version, name, checksum, breaking }: Migration): AppliedMigration {
  return { version, name, checksum, breaking };
}
