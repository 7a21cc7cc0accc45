import pg from "pg";
import { type ClusterPaths, readPassword, SUPERUSER } from "./cluster.js";

const CONNECT_TIMEOUT_MS = 5_000;

export async function clusterUrl(
  paths: ClusterPaths,
  port: number,
  database: string,
): Promise<string> {
  const password = await readPassword(paths);
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

/** Runs `work` on a connection of its own, which is closed whatever happens. */
export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "tasker-launcher",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // A connection that dies between two statements is reported by the next one.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Creates the database of the url when it is missing. */
export async function ensureDatabase(
  paths: ClusterPaths,
  port: number,
  name: string,
): Promise<void> {
  await withClient(await clusterUrl(paths, port, "postgres"), async (client) => {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount !== 0) return;
    await client.query(`create database ${pg.escapeIdentifier(name)}`).catch((error: unknown) => {
      // Somebody who attached to the same server created it first.
      const code = (error as { code?: string }).code;
      if (code !== "42P04" && code !== "23505") throw error;
    });
  });
}
