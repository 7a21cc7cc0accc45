import type { LoadedConfig } from "../config/index.js";
import { assertSchemaUsable, createPool, type Pool } from "../db/index.js";
import type { CommandContext } from "./command-context.js";
import { loadCommandConfig } from "./command-context.js";
import { openDatabase } from "./open-database.js";

/** Lends connections to the project's existing database, and closes everything afterwards. */
export async function withPool<T>(
  context: CommandContext,
  options: { readonly needsSchema: boolean },
  work: (pool: Pool, loaded: LoadedConfig) => Promise<T>,
): Promise<T> {
  const loaded = loadCommandConfig(context);
  const database = await openDatabase(context, loaded, { create: false });
  const pool = createPool({ url: database.url, max: 2, applicationName: "tasker-cli" });
  try {
    if (options.needsSchema) await assertSchemaUsable(pool);
    return await work(pool, loaded);
  } finally {
    await pool.close();
    await database.close();
  }
}
