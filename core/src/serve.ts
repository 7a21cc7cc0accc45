import { guardedPool } from "./db/index.js";
import { databaseState } from "./engine-circuits.js";
import { checkedAddress, type ServeOptions } from "./serve-options.js";
import {
  createAuthenticator,
  type OrchestrationEngine,
  orchestrationServer,
  type WebServer,
} from "./web/index.js";

/**
 * The orchestration API over a running engine; null when it is switched off. It is stopped before the engine.
 * @throws ConfigError BIND_UNSAFE when it would serve other machines without authentication; AUTH_UNUSABLE
 */
export async function orchestrationApi(options: ServeOptions): Promise<WebServer | null> {
  const { config, version, logger } = options;
  const { web } = config.orchestration;
  if (!web.enabled) return null;
  checkedAddress(options, "orchestration");
  const serverLogger = logger.child({ server: "orchestration" });
  return orchestrationServer(engineApi(options), config, {
    version,
    bindAddress: web.bind_address,
    requestTimeoutMs: web.request_timeout_ms,
    bodyLimitBytes: web.body_limit_bytes,
    authenticator: await createAuthenticator({
      auth: web.auth,
      table: "orchestration.web.auth",
      workingDirectory: options.workingDirectory ?? process.cwd(),
      logger: serverLogger,
    }),
    logger: serverLogger,
  });
}

function engineApi({ engine, config, version }: ServeOptions): OrchestrationEngine {
  const poolSize = config.common.database.pool.max_connections;
  const { critical_threshold: critical, overflow_threshold: overflow } =
    config.common.queues.pgmq.queue_depth_thresholds;
  return {
    pool: guardedPool(engine.pool, engine.circuits.web),
    metrics: engine.metrics,
    channels: () => engine.channels.status(),
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
      circuit_breaker_state: databaseState(engine.circuits),
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
