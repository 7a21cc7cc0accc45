export {
  assertDurable,
  assertSupportedVersion,
  type DurabilityOptions,
  type SettingsReader,
} from "./durability.js";
export { type ResolveDatabaseOptions, type ResolvedDatabase, resolveDatabase } from "./resolve.js";
export { startPostgres } from "./start.js";
export type {
  PostgresLogger,
  PostgresServer,
  PostgresSource,
  StartPostgresOptions,
} from "./types.js";
