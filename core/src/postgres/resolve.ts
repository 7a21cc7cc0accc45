import { startPostgres } from "./start.js";
import type { PostgresServer, StartPostgresOptions } from "./types.js";

export interface ResolveDatabaseOptions extends StartPostgresOptions {
  /** Normally `process.env.DATABASE_URL`. Empty counts as absent. */
  readonly databaseUrl?: string | undefined;
}

export interface ResolvedDatabase {
  readonly url: string;
  /** `url`: given from outside. `running`: a server of ours was there. Otherwise which binaries were started. */
  readonly from: "url" | "running" | "embedded" | "system";
  /** `null` for a database given from outside. */
  readonly server: PostgresServer | null;
  /** Stops the server if this call started it. */
  close(): Promise<void>;
}

/**
 * Finds the database to work on: the url from outside, else the server that already runs on this project's cluster, else
 * one started from the embedded package, else from the system's Postgres.
 *
 * @throws DatabaseError `DATABASE_NOT_FOUND` naming what to set or install.
 */
export async function resolveDatabase(options: ResolveDatabaseOptions): Promise<ResolvedDatabase> {
  const { databaseUrl, ...start } = options;
  if (databaseUrl !== undefined && databaseUrl.trim() !== "") {
    return { url: databaseUrl, from: "url", server: null, close: async () => undefined };
  }
  const server = await startPostgres(start);
  return {
    url: server.url,
    from: server.source ?? "running",
    server,
    close: () => server.stop(),
  };
}
