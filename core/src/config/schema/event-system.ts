import { choice, decimal, flag, integer, table, text } from "./fields.js";

export interface EventSystemDefaults {
  readonly systemId: string;
  readonly fallbackPollingSeconds: number;
  readonly maxConcurrentOperations: number;
  readonly batchSize: number;
}

/** The keys that every event system has, as a shape: the worker's has more. */
export function eventSystemShape(defaults: EventSystemDefaults) {
  return {
    system_id: text(defaults.systemId),
    deployment_mode: choice(["Hybrid", "EventDrivenOnly", "PollingOnly", "Disabled"], "Hybrid"),
    timing: table({
      health_check_interval_seconds: integer(1, 3600, 30),
      fallback_polling_interval_seconds: integer(1, 300, defaults.fallbackPollingSeconds),
      visibility_timeout_seconds: integer(1, 3600, 30),
      processing_timeout_seconds: integer(1, 3600, 60),
      claim_timeout_seconds: integer(1, 3600, 300),
    }),
    processing: table({
      max_concurrent_operations: integer(1, 10_000, defaults.maxConcurrentOperations),
      batch_size: integer(1, 1000, defaults.batchSize),
      max_retries: integer(0, 1000, 3),
      backoff: table({
        initial_delay_ms: integer(1, 60_000, 100),
        max_delay_ms: integer(1, 600_000, 10_000),
        multiplier: decimal(1, 10, 2),
        jitter_percent: decimal(0, 1, 0.1),
      }),
    }),
    health: table({
      enabled: flag(true),
      performance_monitoring_enabled: flag(true),
      max_consecutive_errors: integer(1, 1000, 10),
      error_rate_threshold_per_minute: integer(1, 10_000, 20),
    }),
  };
}
