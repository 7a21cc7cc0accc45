import { z } from "zod";
import { eventSystemShape } from "./event-system.js";
import { choice, decimal, flag, integer, table, text, textList } from "./fields.js";
import { handlerLanguages } from "./handler-languages.js";
import { grpc, web } from "./web.js";

const eventSystem = table({
  ...eventSystemShape({
    systemId: "worker-event-system",
    fallbackPollingSeconds: 2,
    maxConcurrentOperations: 100,
    batchSize: 20,
  }),
  metadata: table({
    in_process_events: table({
      ffi_integration_enabled: flag(true),
      deduplication_cache_size: integer(100, 100_000, 10_000),
    }),
    listener: table({
      retry_interval_seconds: integer(1, 300, 5),
      max_retry_attempts: integer(0, 1000, 5),
      event_timeout_seconds: integer(1, 3600, 60),
      batch_processing: flag(true),
      connection_timeout_seconds: integer(1, 300, 30),
    }),
    fallback_poller: table({
      enabled: flag(true),
      polling_interval_ms: integer(10, 60_000, 1000),
      batch_size: integer(1, 1000, 20),
      age_threshold_seconds: integer(1, 3600, 5),
      max_age_hours: integer(1, 168, 24),
      visibility_timeout_seconds: integer(1, 3600, 30),
      supported_namespaces: textList(),
    }),
  }),
});

const channels = table({
  command_processor: table({ command_buffer_size: integer(10, 1_000_000, 2000) }),
  event_systems: table({ event_channel_buffer_size: integer(10, 1_000_000, 2000) }),
  event_subscribers: table({
    completion_buffer_size: integer(10, 1_000_000, 1000),
    result_buffer_size: integer(10, 1_000_000, 1000),
  }),
  in_process_events: table({
    broadcast_buffer_size: integer(100, 1_000_000, 2000),
    log_subscriber_errors: flag(true),
    dispatch_timeout_ms: integer(100, 60_000, 5000),
  }),
  event_listeners: table({ pgmq_event_buffer_size: integer(10, 1_000_000, 10_000) }),
  domain_events: table({
    command_buffer_size: integer(10, 1_000_000, 1000),
    shutdown_drain_timeout_ms: integer(100, 60_000, 5000),
    log_dropped_events: flag(true),
  }),
  handler_dispatch: table({
    dispatch_buffer_size: integer(10, 1_000_000, 1000),
    completion_buffer_size: integer(10, 1_000_000, 1000),
    max_concurrent_handlers: integer(1, 10_000, 10),
    handler_timeout_ms: integer(1000, 3_600_000, 30_000),
    load_shedding: table({
      enabled: flag(true),
      capacity_threshold_percent: decimal(0, 100, 80),
      warning_threshold_percent: decimal(0, 100, 70),
    }),
  }),
  ffi_dispatch: table({
    dispatch_buffer_size: integer(1, 1_000_000, 1000),
    completion_timeout_ms: integer(1, 3_600_000, 30_000),
    callback_timeout_ms: integer(1, 3_600_000, 5000),
    starvation_warning_threshold_ms: integer(1, 3_600_000, 10_000),
    completion_send_timeout_ms: integer(1, 3_600_000, 10_000),
  }),
});

export const worker = table({
  worker_id: text("worker-default-001"),
  worker_type: text("general"),
  circuit_breakers: table({
    ffi_completion_send: table({
      failure_threshold: integer(1, 100, 5),
      recovery_timeout_seconds: integer(1, 300, 5),
      success_threshold: integer(1, 100, 2),
      slow_send_threshold_ms: integer(10, 10_000, 100),
    }),
  }),
  event_systems: table({ worker: eventSystem }),
  mpsc_channels: channels,
  orchestration_client: table({
    base_url: text("http://localhost:8080"),
    transport: choice(["rest", "grpc"], "rest"),
    timeout_ms: integer(100, 300_000, 30_000),
    max_retries: integer(0, 10, 3),
  }),
  web: web({
    address: "127.0.0.1:8081",
    issuer: "tasker-worker",
    audience: "worker-api",
    poolSize: 10,
    maxConnections: 15,
    connectionsHint: 25,
  }),
  grpc: grpc({ address: "127.0.0.1:9191", streams: 1000 }),
  ...handlerLanguages,
  /** Which language runs a callable that two of them register. */
  routes: z
    .record(
      z.string(),
      z.enum(["typescript", "python", "ruby", "native"], {
        error: "one of typescript, python, ruby, native",
      }),
      { error: "a table" },
    )
    .default({}),
});
