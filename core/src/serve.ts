import type { Engine } from "./bootstrap.js";
import { type Config, checkBind } from "./config/index.js";
import { ConfigError } from "./errors/index.js";
import type { Logger } from "./observability/index.js";
import { type OrchestrationEngine, orchestrationServer, type WebServer } from "./web/index.js";

export interface ServeOptions {
  readonly engine: Engine;
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
}

/**
 * The orchestration API over a running engine; null when it is switched off. It is stopped before the engine.
 * @throws ConfigError BIND_UNSAFE when it would serve other machines without authentication
 */
export function orchestrationApi(options: ServeOptions): WebServer | null {
  const { config, version, logger } = options;
  const { web } = config.orchestration;
  if (!web.enabled) return null;
  const bind = checkBind(config, "orchestration", "web");
  if (bind.verdict === "refuse") throw new ConfigError("BIND_UNSAFE", bind.message ?? "");
  if (bind.verdict === "warn") logger.warn(bind.message ?? "");
  return orchestrationServer(engineApi(options), {
    version,
    bindAddress: web.bind_address,
    requestTimeoutMs: web.request_timeout_ms,
    bodyLimitBytes: web.body_limit_bytes,
    authorize: async () => undefined,
    logger: logger.child({ server: "orchestration" }),
  });
}

function engineApi({ engine, config, version }: ServeOptions): OrchestrationEngine {
  const poolSize = config.common.database.pool.max_connections;
  const { critical_threshold: critical, overflow_threshold: overflow } =
    config.common.queues.pgmq.queue_depth_thresholds;
  return {
    pool: engine.pool,
    createTask: (request) => engine.createTask(request),
    cancelTask: (...args) => engine.cancelTask(...args),
    resetStep: (...args) => engine.resetStep(...args),
    resolveStep: (...args) => engine.resolveStep(...args),
    completeStep: (...args) => engine.completeStep(...args),
    healthInfo: () => ({
      version,
      environment: config.common.execution.environment,
      operational_state: engine.worker.isRunning ? "Normal" : "Stopped",
      web_database_pool_size: poolSize,
      orchestration_database_pool_size: poolSize,
      circuit_breaker_state: "Closed",
    }),
    poolUtilization: () => {
      const { total, idle } = engine.pool.counts();
      return Math.min(1, (total - idle) / poolSize);
    },
    channelSaturation: () =>
      Math.max(
        0,
        ...engine.worker.languages.map(({ channel }) => channel.pendingCount / channel.capacity),
      ),
    queueDepthLimits: () => ({ critical, overflow }),
  };
}
