import { z } from "zod";
import { Metrics, type Sample } from "../../observability/index.js";
import { within } from "../health-check.js";
import { channelHealth, metricsRoute } from "../metrics-route.js";
import { type Route, route } from "../route.js";
import type { WorkerEngine } from "./engine.js";

const QUEUES_TIMEOUT_MS = 800;
const count = z.int().min(0);

const workerMetrics = z.object({
  metrics: z.record(
    z.string(),
    z.object({
      value: z.number(),
      metric_type: z.string(),
      labels: z.record(z.string(), z.string()),
      help: z.string(),
    }),
  ),
  timestamp: z.string(),
  worker_id: z.string(),
});
const eventMetrics = z.object({
  router: z.object({
    total_routed: count,
    durable_routed: count,
    fast_routed: count,
    broadcast_routed: count,
    fast_delivery_errors: count,
    routing_errors: count,
  }),
  in_process_bus: z.object({
    total_events_dispatched: count,
    rust_handler_dispatches: count,
    ffi_channel_dispatches: count,
    rust_handler_errors: count,
    ffi_channel_drops: count,
    rust_subscriber_patterns: count,
    rust_handler_count: count,
    ffi_subscriber_count: count,
  }),
  captured_at: z.string(),
  worker_id: z.string(),
});

/** contract/rest.md section 3. */
export function workerMetricsRoutes(engine: WorkerEngine): Route[] {
  const own = ownMetrics(engine);
  const common = { method: "GET", permission: null, tag: "metrics" } as const;
  return [
    metricsRoute([engine.metrics, own.metrics], own.refresh),
    route({
      ...common,
      path: "/metrics/worker",
      summary: "The same figures as JSON, one entry per series.",
      reply: workerMetrics,
      handle: async () => {
        await own.refresh();
        const samples = [...(await engine.metrics.samples()), ...(await own.metrics.samples())];
        return {
          metrics: Object.fromEntries(samples.map(({ series, ...entry }) => [series, entry])),
          timestamp: new Date().toISOString(),
          worker_id: engine.workerId,
        };
      },
    }),
    route({
      ...common,
      path: "/metrics/events",
      summary: "Domain events: how they were routed, and what subscribers of this worker did.",
      reply: eventMetrics,
      handle: async () => eventsOf(engine),
    }),
  ];
}

/** The contract's names for what the engine's own metrics say in other words. */
function ownMetrics(engine: WorkerEngine) {
  const metrics = new Metrics();
  let depths: Sample[] = [];
  let ages: Sample[] = [];
  metrics.gauge(
    "tasker_worker_info",
    "Always 1; what runs is in the labels.",
    ["version", "worker_id", "worker_type"],
    () => [
      [
        {
          version: engine.version,
          worker_id: engine.workerId,
          worker_type: engine.workerType,
        },
        1,
      ],
    ],
  );
  metrics.gauge("tasker_worker_uptime_seconds", "Since the worker was started.", [], () => [
    [{}, engine.uptimeSeconds()],
  ]);
  metrics.gauge("tasker_worker_db_pool_size", "Connections at most.", [], () => [
    [{}, engine.poolSize],
  ]);
  metrics.gauge(
    "tasker_worker_queue_depth",
    "Messages in a queue, those of running steps included.",
    ["queue"],
    () => depths,
  );
  metrics.gauge(
    "tasker_worker_queue_oldest_message_age_seconds",
    "How long the oldest message that nobody holds has waited; 0 when none waits.",
    ["queue"],
    () => ages,
  );
  channelHealth(metrics, "tasker_worker_channel_health", "worker", () => engine.channels());
  return {
    metrics,
    /** Figures of the host are served even when the database does not answer. */
    refresh: async (): Promise<void> => {
      const queues = await within(engine.queueDepths(), QUEUES_TIMEOUT_MS).catch(() => []);
      depths = queues.map(({ queueName, depth }): Sample => [{ queue: queueName }, depth]);
      ages = queues.map(
        ({ queueName, oldestSeconds }): Sample => [{ queue: queueName }, oldestSeconds ?? 0],
      );
    },
  };
}

function eventsOf(engine: WorkerEngine): z.output<typeof eventMetrics> {
  const events = engine.events();
  return {
    router: {
      total_routed: events.durable + events.fast + events.broadcast,
      durable_routed: events.durable,
      fast_routed: events.fast,
      broadcast_routed: events.broadcast,
      fast_delivery_errors: events.failed,
      routing_errors: events.skipped,
    },
    in_process_bus: {
      total_events_dispatched: events.dispatched.own + events.dispatched.processes,
      rust_handler_dispatches: events.dispatched.own,
      ffi_channel_dispatches: events.dispatched.processes,
      rust_handler_errors: events.failed,
      ffi_channel_drops: events.dropped,
      rust_subscriber_patterns: events.ownSubscribers,
      rust_handler_count: events.ownSubscribers,
      ffi_subscriber_count: events.processSubscribers,
    },
    captured_at: new Date().toISOString(),
    worker_id: engine.workerId,
  };
}
