import type { Migration } from "./migrations.js";
import type { Queryable } from "./pool.js";

export interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  /** Why older processes must not run on this schema, or `null`. */
  readonly breaking: string | null;
}

export interface MigrationStatus {
  /** Highest applied version; 0 when nothing was ever applied. */
  readonly current: number;
  /** Highest version these migrations know. */
  readonly latest: number;
  /** Known but not applied, in order. */
  readonly pending: readonly Migration[];
  /** Applied but not known: a newer Tasker was here. */
  readonly unknown: readonly AppliedMigration[];
  /** Applied with another text than the one known. */
  readonly mismatched: readonly (Migration & { readonly appliedChecksum: string })[];
}

/** Compares the migrations of this process with those of the database. Works on a database that has none. */
export async function readStatus(
  database: Queryable,
  migrations: readonly Migration[],
): Promise<MigrationStatus> {
  const applied = await readApplied(database);
  const byVersion = new Map(applied.map((migration) => [migration.version, migration]));
  const known = new Set(migrations.map(({ version }) => version));
  return {
    current: Math.max(0, ...applied.map(({ version }) => version)),
    latest: Math.max(0, ...known),
    pending: migrations.filter(({ version }) => !byVersion.has(version)),
    unknown: applied.filter(({ version }) => !known.has(version)),
    mismatched: migrations.flatMap((migration) => {
      const appliedChecksum = byVersion.get(migration.version)?.checksum;
      if (appliedChecksum === undefined || appliedChecksum === migration.checksum) return [];
      return [{ ...migration, appliedChecksum }];
    }),
  };
}

async function readApplied(database: Queryable): Promise<AppliedMigration[]> {
  try {
    const { rows } = await database.query<AppliedMigration>(
      "select version, name, checksum, breaking from tasker_core.schema_migrations order by version",
    );
    return rows;
  } catch (error) {
    // No schema or no table: nobody has migrated this database yet.
    const code = (error as { code?: string }).code;
    if (code === "42P01" || code === "3F000") return [];
    throw error;
  }
}
