import type { Config } from "../../config/index.js";
import { orchestrationConfigRoute } from "../config-route.js";
import { docsRoutes } from "../docs-routes.js";
import { handlerRoutes } from "../handler-routes.js";
import type { Route } from "../route.js";
import { WebServer, type WebServerOptions } from "../server.js";
import { catalogueRoutes } from "./catalogue-routes.js";
import { dlqRoutes } from "./dlq-routes.js";
import type { OrchestrationEngine } from "./engine.js";
import { healthRoutes } from "./health-routes.js";
import { orchestrationMetricsRoute } from "./metrics-routes.js";
import { stepRoutes } from "./step-routes.js";
import { taskRoutes } from "./task-routes.js";

export function orchestrationRoutes(
  engine: OrchestrationEngine,
  config: Config,
  version: string,
): Route[] {
  const { auth, config_endpoint_enabled: showsConfig } = config.orchestration.web;
  const routes = [
    ...taskRoutes(engine),
    ...stepRoutes(engine),
    ...catalogueRoutes(engine),
    ...dlqRoutes(engine),
    ...handlerRoutes(engine.pool),
    ...healthRoutes(engine),
    orchestrationMetricsRoute(engine),
    ...(showsConfig ? [orchestrationConfigRoute({ config, version })] : []),
  ];
  return [
    ...routes,
    ...docsRoutes(routes, {
      title: "Tasker orchestration",
      version,
      apiKeyHeader: auth.api_key_header,
    }),
  ];
}

/** The orchestration API: contract/rest.md section 2. */
export function orchestrationServer(
  engine: OrchestrationEngine,
  config: Config,
  options: Omit<WebServerOptions, "routes" | "name" | "bindKey" | "hasRequestIds"> & {
    readonly version: string;
  },
): WebServer {
  return new WebServer({
    ...options,
    name: "orchestration API",
    bindKey: "orchestration.web.bind_address",
    hasRequestIds: true,
    routes: orchestrationRoutes(engine, config, options.version),
  });
}
