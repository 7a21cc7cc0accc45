import { z } from "zod";
import { type HealthCheck, healthCheck, healthy, runCheck, within } from "../health-check.js";
import { type Route, route } from "../route.js";
import type { WorkerEngine } from "./engine.js";
import { WorkerApiError } from "./worker-error.js";

const CHECK_TIMEOUT_MS = 800; // clients give an answer a second
const QUEUE_DEGRADED = 10_000;
const QUEUE_UNHEALTHY = 50_000;
const ERRORS_DEGRADED = 0.05;
const ERRORS_UNHEALTHY = 0.15;

const workerCheck = healthCheck.extend({ last_checked: z.string() });
const systemInfo = z.object({
  version: z.string(),
  environment: z.string(),
  uptime_seconds: z.int(),
  worker_type: z.string(),
  database_pool_size: z.int(),
  command_processor_active: z.boolean(),
  supported_namespaces: z.array(z.string()),
});
const brief = z.object({ status: z.string(), timestamp: z.string(), worker_id: z.string() });
const full = brief.extend({
  checks: z.record(z.string(), workerCheck),
  system_info: systemInfo,
  distributed_cache: z
    .object({ enabled: z.boolean(), provider: z.string(), healthy: z.boolean() })
    .optional(),
});
type WorkerCheck = z.output<typeof workerCheck>;

/** contract/rest.md section 3. Liveness never asks the database. */
export function workerHealthRoutes(engine: WorkerEngine): Route[] {
  const common = { method: "GET", permission: null, tag: "health" } as const;
  const head = (status: string) => ({
    status,
    timestamp: new Date().toISOString(),
    worker_id: engine.workerId,
  });
  return [
    route({
      ...common,
      path: "/health",
      summary: "The process serves.",
      reply: brief,
      handle: async () => head("healthy"),
    }),
    route({
      ...common,
      path: "/health/live",
      summary: "The process lives.",
      reply: brief,
      handle: async () => head("alive"),
    }),
    route({
      ...common,
      path: "/health/ready",
      summary: "It can take steps: the database answers and the worker runs.",
      reply: full,
      errors: [503],
      handle: async () => {
        const checks = await readiness(engine);
        const isReady = Object.values(checks).every(({ status }) => status !== "unhealthy");
        if (!isReady) {
          throw new WorkerApiError(
            503,
            "service_unavailable",
            "Worker is not ready to process steps",
            { headers: { "retry-after": "5" } },
          );
        }
        return { ...head("ready"), checks, system_info: infoOf(engine) };
      },
    }),
    route({
      ...common,
      path: "/health/detailed",
      summary: "Every check, whatever its result.",
      reply: full,
      handle: async () => {
        const checks = { ...(await readiness(engine)), ...(await load(engine)) };
        const isHealthy = Object.values(checks).every(({ status }) => status === "healthy");
        return { ...head(isHealthy ? "healthy" : "degraded"), checks, system_info: infoOf(engine) };
      },
    }),
  ];
}

async function readiness(engine: WorkerEngine): Promise<Record<string, WorkerCheck>> {
  const [database, commands, queues] = await Promise.all([
    check(async () => {
      await within(engine.pool.query("select 1"), CHECK_TIMEOUT_MS);
      return healthy;
    }),
    check(async () => runs(engine)),
    check(async () => await queueProcessing(engine)),
  ]);
  return { database, command_processor: commands, queue_processing: queues };
}

async function load(engine: WorkerEngine): Promise<Record<string, WorkerCheck>> {
  return {
    event_system: await check(async () =>
      engine.hasEvents() ? healthy : { status: "degraded", message: "polls only" },
    ),
    step_processing: await check(async () => stepProcessing(engine)),
    circuit_breakers: await check(async () => {
      const open = engine.openCircuits();
      return open.length === 0
        ? healthy
        : { status: "unhealthy", message: `open: ${open.join(", ")}` };
    }),
  };
}

function runs(engine: WorkerEngine): Omit<HealthCheck, "duration_ms"> {
  return engine.isRunning() ? healthy : { status: "unhealthy", message: "the worker has stopped" };
}

async function queueProcessing(engine: WorkerEngine): Promise<Omit<HealthCheck, "duration_ms">> {
  const queues = await within(engine.queueDepths(), CHECK_TIMEOUT_MS);
  const total = queues.reduce((sum, { depth }) => sum + depth, 0);
  const message = `${total} messages in ${queues.length} queues`;
  if (total >= QUEUE_UNHEALTHY) return { status: "unhealthy", message };
  return { status: total >= QUEUE_DEGRADED ? "degraded" : "healthy", message };
}

function stepProcessing(engine: WorkerEngine): Omit<HealthCheck, "duration_ms"> {
  const share = engine.stepErrorShare();
  if (share === null) return { status: "healthy", message: "no step has run yet" };
  const message = `${(share * 100).toFixed(1)} % of the last steps failed`;
  if (share >= ERRORS_UNHEALTHY) return { status: "unhealthy", message };
  return { status: share >= ERRORS_DEGRADED ? "degraded" : "healthy", message };
}

async function check(look: () => Promise<Omit<HealthCheck, "duration_ms">>): Promise<WorkerCheck> {
  return { ...(await runCheck(look)), last_checked: new Date().toISOString() };
}

function infoOf(engine: WorkerEngine): z.output<typeof systemInfo> {
  return {
    version: engine.version,
    environment: engine.environment,
    uptime_seconds: Math.floor(engine.uptimeSeconds()),
    worker_type: engine.workerType,
    database_pool_size: engine.poolSize,
    command_processor_active: engine.isRunning(),
    supported_namespaces: [...engine.namespaces()],
  };
}
