export { type CircuitSettings, databaseCircuit } from "./circuits.js";
export { isConnectionLoss, isDataError } from "./connection-loss.js";
export { MIGRATIONS } from "./generated/migrations.js";
export { guardedPool } from "./guarded-pool.js";
export { type MigrateOptions, type MigrateResult, migrate, migrationStatus } from "./migrate.js";
export type { AppliedMigration, MigrationStatus } from "./migration-status.js";
export { type Migration, readMigrations } from "./migrations.js";
export { installPgmq, type PgmqInstallation, type PgmqMethod } from "./pgmq-install.js";
export {
  createPool,
  type Pool,
  type PoolCounts,
  type PoolOptions,
  type Queryable,
  type QueryResult,
} from "./pool.js";
export {
  openPumpConnection,
  type PumpConnection,
  type PumpConnectionOptions,
} from "./pump-connection.js";
export { PumpLink, type PumpLinkOptions } from "./pump-link.js";
export { assertSchemaUsable } from "./schema-check.js";
export {
  isRetryableConflict,
  type TransactionCounts,
  type TransactionOptions,
  withTransaction,
} from "./transaction.js";
