export { ApiError } from "./api-error.js";
export type { HealthInfo, OrchestrationEngine } from "./orchestration/engine.js";
export { orchestrationRoutes, orchestrationServer } from "./orchestration/server.js";
export { PERMISSIONS, type Permission, type Route } from "./route.js";
export { WebServer, type WebServerOptions } from "./server.js";
