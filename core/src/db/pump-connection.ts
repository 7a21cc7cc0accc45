import pg from "pg";
import { type Queryable, queryableOver } from "./pool.js";
import { typeParsers } from "./type-parsers.js";

/**
 * Planner settings of the hot path: every statement there reads one table through an index by a list of keys. Plans made
 * while the tables were small stay right only when nothing else may be chosen.
 */
const PUMP_SETTINGS = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_mergejoin: "off",
  enable_hashjoin: "off",
} as const;

export interface PumpConnectionOptions {
  readonly applicationName?: string;
  /** Default 10 000. */
  readonly connectTimeoutMs?: number;
}

/** One connection that its owner keeps for its hot calls. It does not reconnect: the owner opens another. */
export interface PumpConnection extends Queryable {
  /** Resolves when the connection is gone: with the error that ended it, or with `null` after `close()`. Never rejects. */
  readonly closed: Promise<Error | null>;
  close(): Promise<void>;
}

/**
 * Opens a connection with the planner settings of the hot path.
 *
 * A lost connection rejects the call in flight and every later one, and resolves `closed`.
 */
export async function openPumpConnection(
  url: string,
  options: PumpConnectionOptions = {},
): Promise<PumpConnection> {
  const client = new pg.Client({
    connectionString: url,
    application_name: options.applicationName ?? "tasker-pump",
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    keepAlive: true,
    types: typeParsers,
  });
  let lost: Error | null = null;
  client.on("error", (error) => {
    lost ??= error;
  });
  const closed = new Promise<Error | null>((resolve) => {
    client.once("end", () => resolve(lost));
  });
  try {
    await client.connect();
    const names = Object.keys(PUMP_SETTINGS);
    // One statement after connecting, not start-up parameters: transaction poolers refuse those.
    await client.query(
      "select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting(name, value)",
      [names, Object.values(PUMP_SETTINGS)],
    );
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return {
    ...queryableOver(client),
    closed,
    close: () => client.end(),
  };
}
