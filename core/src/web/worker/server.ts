import type { Config } from "../../config/index.js";
import { workerConfigRoute } from "../config-route.js";
import { docsRoutes } from "../docs-routes.js";
import { handlerRoutes } from "../handler-routes.js";
import type { Route } from "../route.js";
import { WebServer, type WebServerOptions } from "../server.js";
import type { WorkerEngine } from "./engine.js";
import { workerHealthRoutes } from "./health-routes.js";
import { workerMetricsRoutes } from "./metrics-routes.js";
import { workerTemplateRoutes } from "./template-routes.js";

function workerRoutes(engine: WorkerEngine, config: Config): Route[] {
  const { version } = engine;
  const { auth, config_endpoint_enabled: showsConfig } = config.worker.web;
  const routes = [
    ...workerTemplateRoutes(engine),
    ...handlerRoutes(engine.pool),
    ...workerHealthRoutes(engine),
    ...workerMetricsRoutes(engine),
    ...(showsConfig
      ? [workerConfigRoute({ config, version, queues: () => engine.queueNames() })]
      : []),
  ];
  const info = { title: "Tasker worker", version, apiKeyHeader: auth.api_key_header };
  return [...routes, ...docsRoutes(routes, info)];
}

/** The worker's API: contract/rest.md section 3. */
export function workerServer(
  engine: WorkerEngine,
  config: Config,
  options: Omit<WebServerOptions, "routes" | "name" | "bindKey" | "hasRequestIds">,
): WebServer {
  return new WebServer({
    ...options,
    name: "worker API",
    bindKey: "worker.web.bind_address",
    hasRequestIds: false,
    routes: workerRoutes(engine, config),
  });
}
