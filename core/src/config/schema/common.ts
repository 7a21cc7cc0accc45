import { z } from "zod";
import { database, pgmqDatabase } from "./database.js";
import { choice, decimal, flag, integer, secret, table, text, textList } from "./fields.js";

const MANY = 2_147_483_647;

const queues = table({
  backend: choice(["pgmq", "rabbitmq"], "pgmq"),
  orchestration_namespace: text("orchestration"),
  worker_namespace: text("worker"),
  default_visibility_timeout_seconds: integer(1, 3600, 30),
  naming_pattern: text("{namespace}_{name}_queue"),
  orchestration_queues: table({
    task_requests: text("orchestration_task_requests"),
    task_finalizations: text("orchestration_task_finalizations"),
    step_results: text("orchestration_step_results"),
  }),
  pgmq: table({
    poll_interval_ms: integer(10, 10_000, 500),
    queue_depth_thresholds: table({
      critical_threshold: integer(1, MANY, 5000),
      overflow_threshold: integer(1, MANY, 10_000),
    }),
  }),
  rabbitmq: table({
    url: secret("amqp://guest:guest@localhost:5672/%2F"),
    prefetch_count: integer(1, 65_535, 100),
    heartbeat_seconds: integer(0, 65_535, 30),
  }),
});

function breaker(failures: number, successes: number) {
  return table({
    failure_threshold: integer(1, 100, failures),
    success_threshold: integer(1, 100, successes),
  });
}

const circuitBreakers = table({
  global_settings: table({
    metrics_collection_interval_seconds: integer(1, 3600, 30),
    min_state_transition_interval_seconds: decimal(0.1, 60, 5),
  }),
  default_config: table({
    failure_threshold: integer(1, 100, 5),
    timeout_seconds: integer(1, 300, 30),
    success_threshold: integer(1, 100, 2),
  }),
  component_configs: table({
    task_readiness: breaker(10, 3),
    messaging: breaker(5, 2),
    web: breaker(5, 2),
    cache: breaker(5, 2),
  }),
});

const channels = table({
  event_publisher: table({ event_queue_buffer_size: integer(100, 1_000_000, 5000) }),
  ffi: table({ ruby_event_buffer_size: integer(100, 100_000, 1000) }),
  overflow_policy: table({
    log_warning_threshold: decimal(0, 1, 0.8),
    metrics: table({ saturation_check_interval_seconds: integer(1, 3600, 30) }),
  }),
});

const secondsList = "a list of at least one number of seconds";

const backoff = table({
  /** The first entry is the base of the formula; the others are kept for tools that read them. */
  default_backoff_seconds: z
    .array(z.number({ error: secondsList }).min(0, { error: secondsList }), { error: secondsList })
    .min(1, { error: secondsList })
    .default([1, 5, 15, 30, 60]),
  max_backoff_seconds: integer(1, 3600, 3600),
  backoff_multiplier: decimal(1, 10, 2),
  jitter_enabled: flag(true),
  jitter_max_percentage: decimal(0, 1, 0.15),
});

const cache = table({
  enabled: flag(false),
  backend: choice(["redis", "moka", "memcached"], "redis"),
  default_ttl_seconds: integer(1, 86_400, 3600),
  template_ttl_seconds: integer(1, 86_400, 3600),
  analytics_ttl_seconds: integer(1, 86_400, 60),
  redis: table({
    url: secret("redis://localhost:6379"),
    max_connections: integer(1, 100, 10),
    connection_timeout_seconds: integer(1, 60, 5),
    database: integer(0, 15, 0),
  }),
  moka: table({ max_capacity: integer(1, 1_000_000, 10_000) }),
  memcached: table({
    url: text("tcp://localhost:11211"),
    connection_timeout_seconds: integer(1, 60, 5),
  }),
});

export const common = table({
  system: table({ default_dependent_system: text("default") }),
  database,
  pgmq_database: pgmqDatabase,
  queues,
  circuit_breakers: circuitBreakers,
  mpsc_channels: channels,
  execution: table({
    step_enqueue_batch_size: integer(1, 1000, 50),
    environment: text("development"),
  }),
  backoff,
  cache,
  task_templates: table({ search_paths: textList(["config/tasks/**/*.{yml,yaml}"]) }),
});
