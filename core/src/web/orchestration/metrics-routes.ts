import { Metrics } from "../../observability/index.js";
import { channelHealth, metricsRoute } from "../metrics-route.js";
import type { Route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";

const BREAKER = { Closed: 0, HalfOpen: 1, Open: 2 } as const;

/** The contract's names (section 2.8) beside the engine's own metrics. */
export function orchestrationMetricsRoute(engine: OrchestrationEngine): Route {
  const metrics = new Metrics();
  const info = () => engine.healthInfo();
  metrics.gauge(
    "tasker_orchestration_info",
    "Always 1; what runs is in the labels.",
    ["version"],
    () => [[{ version: info().version }, 1]],
  );
  metrics.gauge("tasker_orchestration_running", "1 while the orchestrator runs.", [], () => [
    [{}, info().operational_state === "Normal" ? 1 : 0],
  ]);
  metrics.gauge("tasker_orchestration_db_pool_size", "Connections at most.", [], () => [
    [{}, info().orchestration_database_pool_size],
  ]);
  metrics.gauge("tasker_db_pool_connections", "Connections of a pool.", ["pool", "state"], () => {
    const { total, idle } = engine.pool.counts();
    return [
      [{ pool: "tasker", state: "active" }, total - idle],
      [{ pool: "tasker", state: "idle" }, idle],
      [{ pool: "tasker", state: "max" }, info().orchestration_database_pool_size],
    ];
  });
  metrics.gauge(
    "tasker_orchestration_circuit_breaker_state",
    "Of the database: 0 closed, 1 half open, 2 open.",
    [],
    () => [[{}, BREAKER[info().circuit_breaker_state]]],
  );
  const channels = () => engine.channels();
  channelHealth(metrics, "tasker_orchestration_channel_health", "orchestration", channels);
  return metricsRoute([engine.metrics, metrics]);
}
