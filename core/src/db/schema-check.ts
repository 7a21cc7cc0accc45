import { DatabaseError } from "../errors/index.js";
import { MIGRATIONS } from "./generated/migrations.js";
import { readStatus } from "./migration-status.js";
import type { Migration } from "./migrations.js";
import type { Queryable } from "./pool.js";

/**
 * Checks at start, and from time to time, that this process may work on the schema. A newer schema is fine as long as
 * none of its unknown migrations is breaking.
 *
 * @throws DatabaseError `SCHEMA_TOO_OLD`, `SCHEMA_TOO_NEW` or `MIGRATION_CHECKSUM_MISMATCH`.
 */
export async function assertSchemaUsable(
  database: Queryable,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const status = await readStatus(database, migrations);
  const missing = status.pending[0];
  if (missing !== undefined) {
    throw new DatabaseError(
      "SCHEMA_TOO_OLD",
      `The database schema is at version ${status.current} but this version of Tasker needs ${status.latest} (first missing: ${missing.name}). Run \`tasker db migrate\`.`,
      { context: { current: status.current, latest: status.latest } },
    );
  }
  const breaking = status.unknown.find((migration) => migration.breaking !== null);
  if (breaking !== undefined) {
    throw new DatabaseError(
      "SCHEMA_TOO_NEW",
      `The database schema is at version ${status.current}; this version of Tasker knows ${status.latest}, and migration ${breaking.name} breaks older versions: ${breaking.breaking}. Update Tasker.`,
      { context: { current: status.current, latest: status.latest } },
    );
  }
  const edited = status.mismatched[0];
  if (edited !== undefined) {
    throw new DatabaseError(
      "MIGRATION_CHECKSUM_MISMATCH",
      `Migration ${edited.name} of the database (checksum ${edited.appliedChecksum}) is not the one this version of Tasker was built with (${edited.checksum}). The two come from different builds: use the build that migrated this database, or another database.`,
      { context: { file: `${edited.name}.sql` } },
    );
  }
}
