import type { Config } from "./config/index.js";
import { type CircuitSettings, databaseCircuit } from "./db/index.js";
import { CircuitBreaker } from "./lib/circuit-breaker.js";
import type { Logger } from "./observability/index.js";

/**
 * The circuit breakers of a host. `database`: the pump's connections, and what the engine asks the pool. `web`: what API
 * requests ask. `messaging`: the queues of users and of domain events. `task_readiness`: the rounds of maintenance.
 * `ffi_completion_send`: the way of results to the pump.
 */
export type Circuits = Readonly<
  Record<
    "database" | "web" | "messaging" | "task_readiness" | "ffi_completion_send",
    CircuitBreaker
  >
>;

export function createCircuits(config: Config, logger: Logger): Circuits {
  const { component_configs: components } = config.common.circuit_breakers;
  const towardsDatabase = (
    name: string,
    thresholds?: { failure_threshold: number; success_threshold: number },
  ) => databaseCircuit(name, databaseSettings(config, thresholds), logger);
  return {
    database: towardsDatabase("database"),
    web: towardsDatabase("web", components.web),
    messaging: towardsDatabase("messaging", components.messaging),
    task_readiness: towardsDatabase("task_readiness", components.task_readiness),
    ffi_completion_send: completionCircuit(config, logger),
  };
}

function databaseSettings(
  config: Config,
  thresholds?: { failure_threshold: number; success_threshold: number },
): CircuitSettings {
  const { default_config } = config.common.circuit_breakers;
  const { failure_threshold, success_threshold } = thresholds ?? default_config;
  return {
    failureThreshold: failure_threshold,
    successThreshold: success_threshold,
    timeoutMs: default_config.timeout_seconds * 1000,
    // A server that says nothing for as long as one waits for a connection is as good as gone.
    silentMs: (config.common.database.pool.acquire_timeout_seconds * 1000) / failure_threshold,
  };
}

function completionCircuit(config: Config, logger: Logger): CircuitBreaker {
  const { ffi_completion_send: settings } = config.worker.circuit_breakers;
  const name = "ffi_completion_send";
  return new CircuitBreaker({
    name,
    failureThreshold: settings.failure_threshold,
    successThreshold: settings.success_threshold,
    timeoutMs: settings.recovery_timeout_seconds * 1000,
    isFailure: () => true,
    refusal: () => new Error("results wait"), // nobody asks it for leave: a result is never refused
    onChange: (state) =>
      logger.warn(
        { circuit: name, state },
        state === "open"
          ? "results wait for the database: this host takes no further steps until they flow again"
          : `circuit breaker ${name} is ${state}`,
      ),
  });
}

/** For reports that know one state: the worst of those towards the database. */
export function databaseState(circuits: Circuits): "Closed" | "Open" | "HalfOpen" {
  const states = [circuits.database.state, circuits.web.state];
  if (states.includes("open")) return "Open";
  return states.includes("half_open") ? "HalfOpen" : "Closed";
}
