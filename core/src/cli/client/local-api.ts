import type { LoadedConfig } from "../../config/index.js";
import type { Pool } from "../../db/index.js";
import { type JsonValue, stringifyJson } from "../../lib/json-number.js";
import { parseJson } from "../../lib/parse-json.js";
import { OperatorActions, type OperatorRemark } from "../../lifecycle/operator-actions.js";
import { planLimits } from "../../lifecycle/plans/index.js";
import { createLogger } from "../../observability/index.js";
import { createApp, type OrchestrationEngine, orchestrationRoutes } from "../../web/index.js";
import type { CommandContext } from "../command-context.js";
import { startEngine } from "../start-engine.js";
import { packageVersion } from "../version.js";
import { type Api, type ApiRequest, type Method, target } from "./api.js";
import { refusal } from "./refusal.js";

/** The same routes on the database itself: nothing listens, whoever may open the database may do everything. */
export async function localApi(
  context: CommandContext,
  loaded: LoadedConfig,
  pool: Pool,
): Promise<Api> {
  const app = await createApp({
    routes: orchestrationRoutes(engineOn(context, loaded, pool), loaded.config, packageVersion()),
    requestTimeoutMs: loaded.config.orchestration.web.request_timeout_ms,
    bodyLimitBytes: loaded.config.orchestration.web.body_limit_bytes,
    hasRequestIds: false,
    authenticator: null,
    logger: createLogger({ level: "silent" }),
  });
  const place = "the database";
  return {
    place,
    call: async (method: Method, path: string, request: ApiRequest): Promise<JsonValue> => {
      const { statusCode, body } = await app.inject({
        method,
        url: target(path, request.query),
        ...(request.body === undefined
          ? {}
          : {
              headers: { "content-type": "application/json" },
              payload: stringifyJson(request.body),
            }),
      });
      if (statusCode >= 300) throw refusal(statusCode, body, { intent: request.intent, place });
      return body === "" ? null : parseJson(body);
    },
    close: async () => await app.close(),
  };
}

function engineOn(context: CommandContext, loaded: LoadedConfig, pool: Pool): OrchestrationEngine {
  const { config } = loaded;
  const operator = new OperatorActions({ pool, plans: planLimits(config) });
  const poolSize = config.common.database.pool.max_connections;
  const thresholds = config.common.queues.pgmq.queue_depth_thresholds;
  return {
    pool,
    // Nothing runs here that could be measured.
    metrics: { contentType: "text/plain", render: async () => "" },
    channels: () => [],
    createTask: async (request) => {
      const running = await startEngine(context, {
        loaded,
        logger: createLogger({ level: "silent" }),
        templates: [],
        handlers: null,
        signal: new AbortController().signal,
      });
      try {
        return await running.engine.createTask(request);
      } finally {
        await running.stop();
      }
    },
    // The routes name themselves where a caller gives no name.
    cancelTask: (uuid: string, remark: OperatorRemark = {}) =>
      operator.cancelTask(uuid, { ...remark, actor: "cli-operator" }),
    resetStep: (...args) => operator.resetStep(...args),
    resolveStep: (...args) => operator.resolveStep(...args),
    completeStep: (...args) => operator.completeStep(...args),
    healthInfo: () => ({
      version: packageVersion(),
      environment: config.common.execution.environment,
      operational_state: "Stopped", // this process settles nothing
      web_database_pool_size: poolSize,
      orchestration_database_pool_size: poolSize,
      circuit_breaker_state: "Closed",
    }),
    poolUtilization: () => 0,
    channelSaturation: () => 0,
    queueDepthLimits: () => ({
      critical: thresholds.critical_threshold,
      overflow: thresholds.overflow_threshold,
    }),
  };
}
