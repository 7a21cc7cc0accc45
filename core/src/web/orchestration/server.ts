import { docsRoutes } from "../docs-routes.js";
import type { ApiInfo } from "../openapi.js";
import type { Route } from "../route.js";
import { WebServer, type WebServerOptions } from "../server.js";
import { catalogueRoutes } from "./catalogue-routes.js";
import { dlqRoutes } from "./dlq-routes.js";
import type { OrchestrationEngine } from "./engine.js";
import { healthRoutes } from "./health-routes.js";
import { stepRoutes } from "./step-routes.js";
import { taskRoutes } from "./task-routes.js";

export function orchestrationRoutes(
  engine: OrchestrationEngine,
  { version, apiKeyHeader }: Omit<ApiInfo, "title">,
): Route[] {
  const routes = [
    ...taskRoutes(engine),
    ...stepRoutes(engine),
    ...catalogueRoutes(engine),
    ...dlqRoutes(engine),
    ...healthRoutes(engine),
  ];
  return [
    ...routes,
    ...docsRoutes(routes, { title: "Tasker orchestration", version, apiKeyHeader }),
  ];
}

/** The orchestration API: contract/rest.md section 2. */
export function orchestrationServer(
  engine: OrchestrationEngine,
  options: Omit<WebServerOptions, "routes" | "name" | "bindKey" | "hasRequestIds"> & {
    readonly version: string;
    readonly apiKeyHeader: string;
  },
): WebServer {
  return new WebServer({
    ...options,
    name: "orchestration API",
    bindKey: "orchestration.web.bind_address",
    hasRequestIds: true,
    routes: orchestrationRoutes(engine, options),
  });
}
