import { docsRoutes } from "../docs-routes.js";
import type { Route } from "../route.js";
import { WebServer, type WebServerOptions } from "../server.js";
import { catalogueRoutes } from "./catalogue-routes.js";
import { dlqRoutes } from "./dlq-routes.js";
import type { OrchestrationEngine } from "./engine.js";
import { healthRoutes } from "./health-routes.js";
import { stepRoutes } from "./step-routes.js";
import { taskRoutes } from "./task-routes.js";

export function orchestrationRoutes(engine: OrchestrationEngine, version: string): Route[] {
  const routes = [
    ...taskRoutes(engine),
    ...stepRoutes(engine),
    ...catalogueRoutes(engine),
    ...dlqRoutes(engine),
    ...healthRoutes(engine),
  ];
  return [...routes, ...docsRoutes(routes, { title: "Tasker orchestration", version })];
}

/** The orchestration API: contract/rest.md section 2. */
export function orchestrationServer(
  engine: OrchestrationEngine,
  options: Omit<WebServerOptions, "routes" | "name" | "bindKey" | "hasRequestIds"> & {
    readonly version: string;
  },
): WebServer {
  return new WebServer({
    ...options,
    name: "orchestration API",
    bindKey: "orchestration.web.bind_address",
    hasRequestIds: true,
    routes: orchestrationRoutes(engine, options.version),
  });
}
