import { z } from "zod";
import { ApiError } from "../api-error.js";
import { type HealthCheck, healthCheck, healthy, runCheck, within } from "../health-check.js";
import { type Route, route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";

const CHECK_TIMEOUT_MS = 1000;
const DEGRADED = 0.8;
const UNHEALTHY = 0.95;

const poolUtilization = z.object({
  active_connections: z.int(),
  idle_connections: z.int(),
  max_connections: z.int(),
  utilization_percent: z.number(),
  total_acquires: z.int(),
  slow_acquires: z.int(),
  acquire_errors: z.int(),
  average_acquire_time_ms: z.number(),
  max_acquire_time_ms: z.number(),
});
const info = z.object({
  version: z.string(),
  environment: z.string(),
  operational_state: z.enum(["Normal", "Startup", "GracefulShutdown", "Stopped", "Emergency"]),
  web_database_pool_size: z.int(),
  orchestration_database_pool_size: z.int(),
  circuit_breaker_state: z.enum(["Closed", "Open", "HalfOpen"]),
  pool_utilization: z
    .object({ tasker_pool: poolUtilization, pgmq_pool: poolUtilization })
    .optional(),
});
const brief = z.object({ status: z.string(), timestamp: z.string() });
const detailed = z.object({
  status: z.string(),
  timestamp: z.string(),
  checks: z.record(z.string(), healthCheck),
  info,
});

/** contract/rest.md section 2.8. Liveness never asks the database. */
export function healthRoutes(engine: OrchestrationEngine): Route[] {
  const common = { permission: null, tag: "health" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/health",
      summary: "The process serves.",
      reply: brief,
      handle: async () => ({ status: "healthy", timestamp: now() }),
    }),
    route({
      ...common,
      method: "GET",
      path: "/health/live",
      summary: "The process lives.",
      reply: brief,
      handle: async () => ({ status: "alive", timestamp: now() }),
    }),
    route({
      ...common,
      method: "GET",
      path: "/health/ready",
      summary: "It can take requests: the database answers and the orchestrator runs.",
      reply: detailed,
      errors: [503],
      handle: async () => {
        const checks = await basicChecks(engine);
        const bad = Object.entries(checks).filter(([, check]) => check.status === "unhealthy");
        if (bad.length > 0) {
          const why = bad.map(([name, { message }]) => `${name} (${message ?? "unhealthy"})`);
          throw new ApiError(503, "SERVICE_UNAVAILABLE", `Not ready: ${why.join(", ")}`);
        }
        return { status: "ready", timestamp: now(), checks, info: engine.healthInfo() };
      },
    }),
    route({
      ...common,
      method: "GET",
      path: "/health/detailed",
      summary: "Every check, whatever its result.",
      reply: detailed,
      handle: async () => {
        const checks = { ...(await basicChecks(engine)), ...(await loadChecks(engine)) };
        const isHealthy = Object.values(checks).every(({ status }) => status === "healthy");
        return {
          status: isHealthy ? "healthy" : "degraded",
          timestamp: now(),
          checks,
          info: engine.healthInfo(),
        };
      },
    }),
  ];
}

async function basicChecks(engine: OrchestrationEngine): Promise<Record<string, HealthCheck>> {
  const database = async () => {
    await within(engine.pool.query("select 1"), CHECK_TIMEOUT_MS);
    return healthy;
  };
  const [web, orchestration] = await Promise.all([runCheck(database), runCheck(database)]);
  const { circuit_breaker_state: breaker } = engine.healthInfo();
  return {
    web_database: web,
    orchestration_database: orchestration,
    circuit_breaker: await runCheck(async () =>
      breaker === "Open"
        ? { status: "unhealthy", message: "the circuit to the database is open" }
        : healthy,
    ),
    orchestration_system: await runCheck(async () => runs(engine)),
    command_processor: await runCheck(async () => runs(engine)),
  };
}

async function loadChecks(engine: OrchestrationEngine): Promise<Record<string, HealthCheck>> {
  return {
    pool_utilization: await runCheck(async () => share("pool", engine.poolUtilization())),
    queue_depth: await runCheck(async () => await depth(engine)),
    channel_saturation: await runCheck(async () => share("channel", engine.channelSaturation())),
  };
}

function runs(engine: OrchestrationEngine): Omit<HealthCheck, "duration_ms"> {
  const { operational_state: state } = engine.healthInfo();
  return state === "Normal" ? healthy : { status: "unhealthy", message: `state ${state}` };
}

function share(what: string, used: number): Omit<HealthCheck, "duration_ms"> {
  const message = `${what} ${Math.round(used * 100)} % used`;
  if (used > UNHEALTHY) return { status: "unhealthy", message };
  return { status: used > DEGRADED ? "degraded" : "healthy", message };
}

async function depth(engine: OrchestrationEngine): Promise<Omit<HealthCheck, "duration_ms">> {
  const { critical, overflow } = engine.queueDepthLimits();
  const { rows } = await within(
    engine.pool.query<{ depth: number }>(
      "select coalesce(max(queue_length), 0)::float8 as depth from pgmq.metrics_all()",
    ),
    CHECK_TIMEOUT_MS,
  );
  const deepest = Number(rows[0]?.depth ?? 0);
  const message = `the deepest queue has ${deepest} messages`;
  if (deepest >= overflow) return { status: "unhealthy", message };
  return { status: deepest >= critical ? "degraded" : "healthy", message };
}

function now(): string {
  return new Date().toISOString();
}
