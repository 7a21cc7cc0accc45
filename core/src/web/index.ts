export { ApiError } from "./api-error.js";
export { type AppOptions, createApp } from "./app.js";
export {
  type Authenticator,
  createAuthenticator,
  PERMISSIONS,
  type Permission,
} from "./auth/index.js";
export type { HealthInfo, OrchestrationEngine } from "./orchestration/engine.js";
export { orchestrationRoutes, orchestrationServer } from "./orchestration/server.js";
export { readTaskRequest } from "./orchestration/task-routes.js";
export type { Route } from "./route.js";
export { WebServer, type WebServerOptions } from "./server.js";
export type { EventCounts, WorkerEngine } from "./worker/engine.js";
export { workerServer } from "./worker/server.js";
