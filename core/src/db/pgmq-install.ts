import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { DatabaseError } from "../errors/index.js";
import type { Queryable } from "./pool.js";

/** `extension`: made by the server. `sql`: the extension's plain SQL. `existing`: was there before us. */
export type PgmqMethod = "extension" | "sql" | "existing";

export interface PgmqInstallation {
  readonly method: PgmqMethod;
  /** `null` when an existing installation does not say. */
  readonly version: string | null;
}

/**
 * Makes sure that PGMQ is there, and records how in `tasker_core.pgmq_install`. Runs in the caller's transaction, which
 * must hold the migration lock. An existing `pgmq` schema is used as it is, never written to.
 *
 * @throws DatabaseError `MIGRATION_FAILED` when a schema `pgmq` exists that is not PGMQ.
 */
export async function installPgmq(transaction: Queryable): Promise<PgmqInstallation> {
  const recorded = await recordedInstallation(transaction);
  if (recorded !== null) return recorded;
  const installation =
    (await existing(transaction)) ?? (await asExtension(transaction)) ?? (await asSql(transaction));
  await transaction.query(
    "insert into tasker_core.pgmq_install (method, version) values ($1, $2)",
    [installation.method, installation.version],
  );
  return installation;
}

async function recordedInstallation(transaction: Queryable): Promise<PgmqInstallation | null> {
  await transaction.query(`
    create table if not exists tasker_core.pgmq_install (
      only_row boolean primary key default true constraint there_is_one_installation check (only_row),
      method text not null constraint method_is_known check (method in ('extension', 'sql', 'existing')),
      version text,
      installed_at timestamptz not null default now()
    )`);
  const { rows } = await transaction.query<PgmqInstallation>(
    "select method, version from tasker_core.pgmq_install where to_regnamespace('pgmq') is not null",
  );
  // A restored dump may bring our record without the schema: then the installation starts again.
  if (rows[0] === undefined) await transaction.query("delete from tasker_core.pgmq_install");
  return rows[0] ?? null;
}

async function existing(transaction: Queryable): Promise<PgmqInstallation | null> {
  const { rows } = await transaction.query<{ has_create: boolean; version: string | null }>(`
    select
      exists (
        select 1 from pg_proc
        where pronamespace = to_regnamespace('pgmq') and proname = 'create'
      ) as has_create,
      (select extversion from pg_extension where extname = 'pgmq') as version
    where to_regnamespace('pgmq') is not null`);
  const found = rows[0];
  if (found === undefined) return null;
  if (found.has_create) return { method: "existing", version: found.version };
  throw new DatabaseError(
    "MIGRATION_FAILED",
    "The database has a schema `pgmq` without a function pgmq.create, so it is not PGMQ. Tasker does not install over it: use another database, or rename that schema.",
  );
}

async function asExtension(transaction: Queryable): Promise<PgmqInstallation | null> {
  const { rows } = await transaction.query<{ default_version: string }>(
    "select default_version from pg_available_extensions where name = 'pgmq'",
  );
  const offered = rows[0];
  if (offered === undefined) return null;
  await transaction.query("create extension pgmq");
  return { method: "extension", version: offered.default_version };
}

async function asSql(transaction: Queryable): Promise<PgmqInstallation> {
  const { version, sql } = await packagedPgmq();
  await transaction.query("create schema if not exists pgmq");
  await transaction.query(sql);
  return { method: "sql", version };
}

const PACKAGE = "@electric-sql/pglite-pgmq";

/** The SQL that `CREATE EXTENSION` would run, from the registry package that carries it. */
export async function packagedPgmq(): Promise<{ version: string; sql: string }> {
  const archive = join(dirname(createRequire(import.meta.url).resolve(PACKAGE)), "pgmq.tar.gz");
  const files = await readArchive(archive);
  const control = files.get("pgmq.control") ?? "";
  const version = /^default_version\s*=\s*'([^']+)'/m.exec(control)?.[1];
  const sql = version === undefined ? undefined : files.get(`pgmq--${version}.sql`);
  if (version === undefined || sql === undefined) {
    throw new DatabaseError(
      "MIGRATION_FAILED",
      `${archive} does not hold the complete SQL of PGMQ (control file: ${control === "" ? "missing" : `version ${version ?? "not stated"}`}). Reinstall ${PACKAGE}, or install the pgmq extension on the server.`,
    );
  }
  // What CREATE EXTENSION does with the two things that are not plain SQL.
  return { version, sql: sql.replaceAll("@extschema@", "pgmq").replace(/^\\echo .*$/gm, "") };
}

/** Base name to text, of the extension's own files. */
async function readArchive(path: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const unpack = createGunzip();
  const entries = extract();
  unpack.on("error", (error) => entries.destroy(error));
  unpack.pipe(entries);
  unpack.end(await readFile(path));
  for await (const entry of entries) {
    const name = entry.header.name.split("/").at(-1) ?? "";
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (name.startsWith("pgmq")) files.set(name, Buffer.concat(chunks).toString("utf8"));
  }
  return files;
}
