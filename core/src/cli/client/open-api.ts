import type { CommandContext } from "../command-context.js";
import { withPool } from "../with-pool.js";
import type { Api } from "./api.js";
import { type ClientConfig, loadClientConfig } from "./client-config.js";
import { RestApi } from "./rest-api.js";

/**
 * Whether this command line speaks to a server: `tasker-ctl` always does, `tasker` when `--server`, `--profile` or one of
 * their variables says so. Else client commands work on the database.
 */
export function usesServer({ global, env, isCtl }: CommandContext): boolean {
  const named = [env["TASKER_CLIENT_PROFILE"], env["TASKER_ORCHESTRATION_URL"]];
  return (
    isCtl ||
    global.server !== undefined ||
    global.profile !== undefined ||
    named.some((value) => value !== undefined && value !== "")
  );
}

/** @throws CliError CLIENT_CONFIG_INVALID */
export function clientConfig(context: CommandContext): ClientConfig {
  const { global, env, workingDirectory, isCtl } = context;
  const { server, profile } = global;
  const file = isCtl ? global.config : undefined;
  return loadClientConfig({ env, workingDirectory, file, profile, server }).config;
}

/** The API of the server, or null when the command works on the database. */
export function serverApi(context: CommandContext): Api | null {
  return usesServer(context) ? new RestApi(clientConfig(context).orchestration) : null;
}

/** Lends the API, of the server or on the database. */
export async function withApi<T>(
  context: CommandContext,
  work: (api: Api) => Promise<T>,
): Promise<T> {
  const remote = serverApi(context);
  if (remote !== null) return await work(remote);
  const { localApi } = await import("./local-api.js"); // the engine, which a client does without
  return await withPool(context, { needsSchema: true }, async (pool, loaded) => {
    const api = await localApi(context, loaded, pool);
    try {
      return await work(api);
    } finally {
      await api.close();
    }
  });
}
