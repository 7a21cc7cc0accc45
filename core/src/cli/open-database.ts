import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { LoadedConfig } from "../config/index.js";
import { DatabaseError } from "../errors/index.js";
import {
  assertDurable,
  type ResolvedDatabase,
  resolveDatabase,
  type SettingsReader,
} from "../postgres/index.js";
import type { CommandContext } from "./command-context.js";

export interface OpenDatabaseOptions {
  /** Make the project's embedded database when there is none; else that is an error. */
  readonly create: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The database of this project: DATABASE_URL or the configured one, else the embedded one, which is started unless it
 * runs already.
 * @throws DatabaseError DATABASE_NOT_FOUND and others that say what to do
 */
export async function openDatabase(
  context: CommandContext,
  { config, env }: LoadedConfig,
  options: OpenDatabaseOptions,
): Promise<ResolvedDatabase> {
  const { database } = config.common;
  const written = database.url.reveal();
  const url = written === "" ? env["DATABASE_URL"] : written;
  const dataDir = resolve(context.workingDirectory, database.embedded.data_dir);
  if ((url ?? "") === "" && !options.create && !existsSync(dataDir)) {
    throw new DatabaseError(
      "DATABASE_NOT_FOUND",
      `This project has no database yet: DATABASE_URL is not set and ${dataDir} does not exist. Start one with \`tasker dev\`, or run this in the folder of the project`,
      { context: { dataDir } },
    );
  }
  return await resolveDatabase({
    databaseUrl: url,
    dataDir,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Refuses a server that could lose accepted tasks; notes one that loses the last moments. */
export async function checkDurability(
  context: CommandContext,
  { config }: LoadedConfig,
  reader: SettingsReader,
): Promise<void> {
  const warning = await assertDurable(reader, { allowUnsafe: config.common.database.allow_unsafe });
  if (warning !== null) context.output.note(`warning: ${warning}`);
}

/** Where the database is, without its password. */
export function describeDatabase({ url, from }: ResolvedDatabase): string {
  const { hostname, port, pathname } = new URL(url);
  const place = `${hostname}${port === "" ? "" : `:${port}`}${pathname}`;
  const how = {
    url: "DATABASE_URL",
    running: "embedded, already running",
    embedded: "embedded, started",
    system: "this system's Postgres, started for the project",
  };
  return `${place} (${how[from]})`;
}
