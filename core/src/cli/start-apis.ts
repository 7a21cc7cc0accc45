import type { EngineRole } from "../bootstrap.js";
import { defaultConfig } from "../config/index.js";
import { isTaskerError } from "../errors/index.js";
import { orchestrationApi } from "../serve.js";
import type { ServeOptions } from "../serve-options.js";
import { workerApi } from "../serve-worker.js";
import type { WebServer } from "../web/index.js";

/** The HTTP servers of a role, each appended to `servers` once it listens. */
export async function startApis(
  options: ServeOptions,
  role: EngineRole,
  servers: WebServer[],
): Promise<void> {
  if (role !== "worker") {
    const api = await orchestrationApi(options);
    if (api !== null) {
      await api.start();
      servers.push(api);
    }
  }
  if (role !== "server") {
    const api = await startWorkerApi(options, servers);
    if (api !== null) servers.push(api);
  }
}

/**
 * One variable may give both servers of `tasker dev` the same address, and several workers of a machine may be left to the
 * default one: then a free port does, and the log says which. An address that was chosen is the one, or an error.
 */
async function startWorkerApi(
  options: ServeOptions,
  servers: readonly WebServer[],
): Promise<WebServer | null> {
  const { config, logger } = options;
  const { bind_address: address } = config.worker.web;
  const freePort = `${address.slice(0, address.lastIndexOf(":"))}:0`;
  const isSame = servers.length > 0 && config.orchestration.web.bind_address === address;
  if (isSame && address !== freePort) {
    logger.warn(
      `both HTTP servers are to listen at ${address}: the orchestration API does, the worker API gets a free port`,
    );
    return await started(options, freePort);
  }
  try {
    return await started(options, address);
  } catch (error) {
    const isDefault = address === defaultConfig().worker.web.bind_address;
    if (!isDefault || !isTaskerError(error, "WEB_ADDRESS_UNUSABLE")) throw error;
    logger.warn(`the worker API's default address ${address} is in use: it gets a free port`);
    return await started(options, freePort);
  }
}

async function started(options: ServeOptions, address: string): Promise<WebServer | null> {
  const api = await workerApi(options, address);
  await api?.start();
  return api;
}
