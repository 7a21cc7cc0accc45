import { eventSystemShape } from "./event-system.js";
import { flag, integer, table, text } from "./fields.js";
import { grpc, web } from "./web.js";

const stalenessDetection = table({
  enabled: flag(true),
  detection_interval_seconds: integer(30, 3600, 300),
  batch_size: integer(1, 10_000, 100),
  dry_run: flag(false),
  thresholds: table({
    waiting_for_dependencies_minutes: integer(1, 1440, 60),
    waiting_for_retry_minutes: integer(1, 1440, 30),
    steps_in_process_minutes: integer(1, 1440, 30),
    task_max_lifetime_hours: integer(1, 168, 24),
  }),
  actions: table({
    auto_transition_to_error: flag(true),
    auto_move_to_dlq: flag(true),
    emit_events: flag(true),
    event_channel: text("task_staleness_detected"),
  }),
});

export const orchestration = table({
  enable_performance_logging: flag(true),
  shutdown_timeout_ms: integer(1000, 300_000, 30_000),
  event_systems: table({
    orchestration: table(
      eventSystemShape({
        systemId: "orchestration-event-system",
        fallbackPollingSeconds: 5,
        maxConcurrentOperations: 50,
        batchSize: 20,
      }),
    ),
    task_readiness: table(
      eventSystemShape({
        systemId: "task-readiness-event-system",
        fallbackPollingSeconds: 5,
        maxConcurrentOperations: 100,
        batchSize: 50,
      }),
    ),
  }),
  decision_points: table({
    enabled: flag(true),
    max_steps_per_decision: integer(1, 1000, 100),
    max_decision_depth: integer(1, 100, 20),
    warn_threshold_steps: integer(1, 1000, 50),
    warn_threshold_depth: integer(1, 100, 10),
    enable_detailed_logging: flag(false),
    enable_metrics: flag(true),
  }),
  dlq: table({ enabled: flag(true), staleness_detection: stalenessDetection }),
  batch_processing: table({
    enabled: flag(true),
    max_parallel_batches: integer(1, 1000, 50),
    default_batch_size: integer(1, 100_000, 1000),
    checkpoint_stall_minutes: integer(1, 1440, 15),
    /** A plan with more workers fails its step. */
    max_workers_per_batch: integer(1, 100_000, 10_000),
  }),
  mpsc_channels: table({
    command_processor: table({ command_buffer_size: integer(10, 1_000_000, 5000) }),
    event_systems: table({ event_channel_buffer_size: integer(10, 1_000_000, 10_000) }),
    event_listeners: table({ pgmq_event_buffer_size: integer(10, 1_000_000, 50_000) }),
  }),
  web: web({
    address: "127.0.0.1:8080",
    issuer: "tasker-core",
    audience: "tasker-api",
    poolSize: 20,
    maxConnections: 30,
    connectionsHint: 50,
  }),
  grpc: grpc({ address: "127.0.0.1:9190", streams: 200 }),
});
