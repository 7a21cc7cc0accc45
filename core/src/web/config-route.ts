import { z } from "zod";
import type { Config } from "../config/index.js";
import { type Route, route } from "./route.js";

const authInfo = z.object({
  enabled: z.boolean(),
  verification_method: z.string(),
  jwt_issuer: z.string(),
  jwt_audience: z.string(),
  api_key_header: z.string(),
  api_key_count: z.int(),
  strict_validation: z.boolean(),
  allowed_algorithms: z.array(z.string()),
});
const metadata = z.object({
  timestamp: z.string(),
  environment: z.string(),
  version: z.string(),
});

export interface ConfigRouteOptions {
  readonly config: Config;
  readonly version: string;
}

/** What it is that runs, of the orchestration server. Named field by field, so that no secret can slip in. */
export function orchestrationConfigRoute({ config, version }: ConfigRouteOptions): Route {
  const { common, orchestration } = config;
  const { default_config: breakers } = common.circuit_breakers;
  const { database_pools: pools } = orchestration.web;
  return route({
    method: "GET",
    path: "/config",
    permission: "system:config_read",
    isSystemWide: true,
    tag: "system",
    summary: "What this server was started with; never secrets.",
    reply: z.object({
      metadata,
      auth: authInfo,
      circuit_breakers: z.object({
        enabled: z.boolean(),
        failure_threshold: z.int(),
        timeout_seconds: z.int(),
        success_threshold: z.int(),
      }),
      database_pools: z.object({ web_api_pool_size: z.int(), web_api_max_connections: z.int() }),
      deployment_mode: z.string(),
      messaging: z.object({ backend: z.string(), queues: z.array(z.string()) }),
    }),
    handle: async () => ({
      metadata: metadataOf(config, version),
      auth: authOf(orchestration.web.auth),
      circuit_breakers: {
        enabled: true,
        failure_threshold: breakers.failure_threshold,
        timeout_seconds: breakers.timeout_seconds,
        success_threshold: breakers.success_threshold,
      },
      database_pools: {
        web_api_pool_size: pools.web_api_pool_size,
        web_api_max_connections: pools.web_api_max_connections,
      },
      deployment_mode: orchestration.event_systems.orchestration.deployment_mode,
      messaging: {
        backend: common.queues.backend,
        queues: Object.values(common.queues.orchestration_queues),
      },
    }),
  });
}

/** @param queues those that the worker looks at now */
export function workerConfigRoute({
  config,
  version,
  queues,
}: ConfigRouteOptions & { readonly queues: () => readonly string[] }): Route {
  const { common, worker } = config;
  return route({
    method: "GET",
    path: "/config",
    permission: "worker:config_read",
    isSystemWide: true,
    tag: "system",
    summary: "What this worker was started with; never secrets.",
    reply: z.object({
      metadata,
      worker_id: z.string(),
      worker_type: z.string(),
      auth: authInfo,
      messaging: z.object({ backend: z.string(), queues: z.array(z.string()) }),
    }),
    handle: async () => ({
      metadata: metadataOf(config, version),
      worker_id: worker.worker_id,
      worker_type: worker.worker_type,
      auth: authOf(worker.web.auth),
      messaging: { backend: common.queues.backend, queues: queues() },
    }),
  });
}

function metadataOf({ common }: Config, version: string): z.output<typeof metadata> {
  const { environment } = common.execution;
  return { timestamp: new Date().toISOString(), environment, version };
}

function authOf(auth: Config["worker"]["web"]["auth"]): z.output<typeof authInfo> {
  return {
    enabled: auth.enabled,
    verification_method: auth.jwt_verification_method,
    jwt_issuer: auth.jwt_issuer,
    jwt_audience: auth.jwt_audience,
    api_key_header: auth.api_key_header,
    api_key_count: auth.api_keys.length + (auth.api_key.isEmpty ? 0 : 1),
    strict_validation: auth.strict_validation,
    allowed_algorithms: auth.jwt_allowed_algorithms,
  };
}
