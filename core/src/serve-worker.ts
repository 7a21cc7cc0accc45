import { readQueueDepths } from "./db/functions/index.js";
import { guardedPool } from "./db/index.js";
import { checkedAddress, type ServeOptions } from "./serve-options.js";
import {
  createAuthenticator,
  type WebServer,
  type WorkerEngine,
  workerServer,
} from "./web/index.js";

/**
 * The worker's API over a running engine; null when it is switched off. It is stopped before the engine.
 * @param address default the configured one
 * @throws ConfigError BIND_UNSAFE, AUTH_UNUSABLE
 */
export async function workerApi(
  options: ServeOptions,
  address: string = options.config.worker.web.bind_address,
): Promise<WebServer | null> {
  const { config, logger, workingDirectory = process.cwd() } = options;
  const { web } = config.worker;
  if (!web.enabled) return null;
  checkedAddress(options, "worker");
  const serverLogger = logger.child({ server: "worker" });
  return workerServer(workerEngine(options), config, {
    bindAddress: address,
    requestTimeoutMs: web.request_timeout_ms,
    bodyLimitBytes: web.body_limit_bytes,
    authenticator: await createAuthenticator({
      auth: web.auth,
      table: "worker.web.auth",
      workingDirectory,
      logger: serverLogger,
    }),
    logger: serverLogger,
  });
}

function workerEngine({ engine, config, version }: ServeOptions): WorkerEngine {
  const startedAt = performance.now();
  const { worker, publisher, domainEvents } = engine;
  const namespaces = (): string[] => [...new Set(engine.templates.namespaces().values())].sort();
  const queueNames = (): string[] => namespaces().map((one) => `worker_${one}_queue`);
  const pool = guardedPool(engine.pool, engine.circuits.web);
  return {
    pool,
    metrics: engine.metrics,
    workerId: config.worker.worker_id,
    workerType: config.worker.worker_type,
    version,
    environment: config.common.execution.environment,
    poolSize: config.common.database.pool.max_connections,
    isRunning: () => worker.isRunning,
    hasEvents: () => worker.isRunning && worker.isListening,
    uptimeSeconds: () => (performance.now() - startedAt) / 1000,
    namespaces,
    queueNames,
    queueDepths: async () => {
      const own = new Set(namespaces());
      const queues = await readQueueDepths(pool);
      return queues.filter(({ namespace }) => namespace !== null && own.has(namespace));
    },
    channels: () => engine.channels.status(),
    stepErrorShare: () => engine.stepErrorShare,
    openCircuits: () =>
      Object.entries(engine.circuits).flatMap(([name, { state }]) =>
        state === "open" ? [name] : [],
      ),
    languageOf: (callable) => worker.pools.poolOf(callable)?.channel.pool,
    hasHandlerProcesses: () =>
      worker.pools.pools.some(({ channel }) => channel.pool !== "typescript"),
    templateCache: () => {
      const { oldestMs, ...counts } = engine.templates.cacheCounts();
      return { ...counts, oldestSeconds: oldestMs / 1000 };
    },
    events: () => ({
      ...publisher.counts,
      failed: domainEvents.counts.failed,
      dropped: domainEvents.counts.dropped,
      dispatched: domainEvents.dispatched,
      ownSubscribers: domainEvents.queues().length,
      processSubscribers: domainEvents.envelopes.queues().length,
    }),
  };
}
