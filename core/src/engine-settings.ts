import type { IntakeSettings } from "./actors/task-request-intake.js";
import type { Config } from "./config/index.js";
import type { QueueLimits } from "./lifecycle/events/index.js";
import { planLimits } from "./lifecycle/plans/index.js";
import type { BackoffSettings } from "./lifecycle/runtime-template.js";
import type { ConsumerSettings } from "./messaging/index.js";
import type { CompileEnvironment } from "./model/index.js";
import type { MaintenanceSettings } from "./worker/maintenance.js";
import type { WorkerSettings } from "./worker/worker-host.js";

// What the configuration says, as the parts of an engine ask for it: milliseconds, and only what they use.

export function queueLimits(config: Config): QueueLimits {
  const { in_process_events, domain_events } = config.worker.mpsc_channels;
  return {
    capacity: in_process_events.broadcast_buffer_size,
    overflow: "drop_oldest",
    slowAfterMs: in_process_events.dispatch_timeout_ms,
    logsErrors: in_process_events.log_subscriber_errors,
    logsDrops: domain_events.log_dropped_events,
  };
}

/** How templates are compiled, and what of backoff the database computes itself. */
export function templateSettings(config: Config): {
  readonly compile: CompileEnvironment;
  readonly backoff: BackoffSettings;
} {
  const { backoff, execution } = config.common;
  return {
    compile: {
      environment: execution.environment,
      backoff: {
        baseMs: Math.round((backoff.default_backoff_seconds[0] ?? 1) * 1000),
        capMs: backoff.max_backoff_seconds * 1000,
      },
      enforceStepTimeouts: config.compatibility.profile === "default",
    },
    backoff: {
      multiplier: backoff.backoff_multiplier,
      jitter: backoff.jitter_enabled ? backoff.jitter_max_percentage : 0,
    },
  };
}

export function maintenanceSettings(config: Config): MaintenanceSettings {
  const { enabled, staleness_detection: detection } = config.orchestration.dlq;
  const { thresholds } = detection;
  return {
    reconcileIntervalMs: isDisabled(config, "task_readiness")
      ? null
      : config.pump.reconcile_interval_seconds * 1000,
    staleness:
      enabled && detection.enabled
        ? {
            intervalMs: detection.detection_interval_seconds * 1000,
            batchSize: detection.batch_size,
            isDryRun: detection.dry_run,
            enforceLifecycle: config.compatibility.profile === "default",
            limits: {
              waitingForDependencies: thresholds.waiting_for_dependencies_minutes,
              waitingForRetry: thresholds.waiting_for_retry_minutes,
              stepsInProcess: thresholds.steps_in_process_minutes,
              maxLifetimeHours: thresholds.task_max_lifetime_hours,
            },
          }
        : null,
    retention: config.retention.enabled
      ? {
          intervalMs: config.retention.interval_seconds * 1000,
          ageMs: config.retention.finished_task_days * 86_400_000,
          batchSize: config.retention.batch_size,
          logSweepIntervalMs: config.retention.log_sweep_interval_minutes * 60_000,
        }
      : null,
  };
}

export function workerSettings(config: Config): WorkerSettings {
  const { handler_dispatch, ffi_dispatch } = config.worker.mpsc_channels;
  const { timing } = config.orchestration.event_systems.task_readiness;
  return {
    batchSize: config.pump.batch_size,
    ...deployment(config, "worker"),
    takesWork: !isDisabled(config, "worker"),
    idleAfterMs: config.pump.idle_after_ms,
    timerLimit: isDisabled(config, "task_readiness") ? 0 : config.pump.batch_size,
    // Twice per lease: what waits for a retry is not found later than what a dead host was running.
    timerPollMs:
      Math.min(timing.fallback_polling_interval_seconds, config.lease.lease_seconds / 2) * 1000,
    leaseMs: config.lease.lease_seconds * 1000,
    hasLeaseGuard: config.lease.guard_thread,
    maxDeaths: config.lease.max_deaths,
    checkpointHistoryLimit: config.pump.checkpoint_history_limit,
    handlerWaitMs: config.lease.handler_wait_seconds * 1000,
    handlerTimeoutMs: handler_dispatch.handler_timeout_ms,
    completionTimeoutMs: ffi_dispatch.completion_timeout_ms,
    completionBufferSize: handler_dispatch.completion_buffer_size,
    slowSendMs: config.worker.circuit_breakers.ffi_completion_send.slow_send_threshold_ms,
    openRetryMs:
      config.common.circuit_breakers.global_settings.min_state_transition_interval_seconds * 1000,
    prefetchMs: config.pump.prefetch_ms,
    maxPrefetchPerSlot: config.pump.max_prefetch_per_slot,
    cacheBytes: config.pump.cache_bytes,
    drainTimeoutMs: config.orchestration.shutdown_timeout_ms,
    eventDrainMs: config.worker.mpsc_channels.domain_events.shutdown_drain_timeout_ms,
    routes: config.worker.routes,
    enforceResultSchemas: config.compatibility.profile === "default",
    plans: planLimits(config),
  };
}

export function consumerSettings(config: Config): ConsumerSettings {
  const { batch_size, max_retries, backoff } = config.worker.event_systems.worker.processing;
  return {
    visibilityTimeoutMs: config.common.queues.default_visibility_timeout_seconds * 1000,
    batchSize: batch_size,
    maxDeliveries: max_retries + 1,
    retryFirstMs: backoff.initial_delay_ms,
    retryMaxMs: backoff.max_delay_ms,
  };
}

export function intakeSettings(config: Config): IntakeSettings {
  const { timing, processing } = config.orchestration.event_systems.orchestration;
  const { batch_size, max_retries, backoff } = processing;
  const { default_visibility_timeout_seconds, orchestration_queues } = config.common.queues;
  return {
    queue: orchestration_queues.task_requests,
    pollIntervalMs: timing.fallback_polling_interval_seconds * 1000,
    visibilityTimeoutMs: default_visibility_timeout_seconds * 1000,
    batchSize: batch_size,
    maxDeliveries: max_retries + 1,
    retryFirstMs: backoff.initial_delay_ms,
    retryMaxMs: backoff.max_delay_ms,
  };
}

type EventSystem = "worker" | "orchestration" | "task_readiness";

const eventSystem = (config: Config, system: EventSystem) =>
  system === "worker"
    ? config.worker.event_systems.worker
    : config.orchestration.event_systems[system];

/** Whether the host leaves to others what this event system does. */
export function isDisabled(config: Config, system: EventSystem): boolean {
  return eventSystem(config, system).deployment_mode === "Disabled";
}

/** Settings of the contract that have no effect here, in words for the log. */
export function ineffectiveSettings(config: Config): readonly string[] {
  const { step_results } = config.common.queues.orchestration_queues;
  return step_results === STEP_RESULTS
    ? []
    : [
        `common.queues.orchestration_queues.step_results is ${step_results}, but step results always go through ${STEP_RESULTS}`,
      ];
}

const STEP_RESULTS = "orchestration_step_results";

/** What is left to other hosts, in words for the log. */
export function disabledSystems(
  config: Config,
  role: "all" | "server" | "worker",
): readonly string[] {
  const says: Record<EventSystem, string> = {
    worker: "worker.event_systems.worker is Disabled: this host runs no steps",
    orchestration:
      "orchestration.event_systems.orchestration is Disabled: this host settles no results; they wait for another one",
    task_readiness:
      "orchestration.event_systems.task_readiness is Disabled: this host wakes no due retries and repairs no lost messages",
  };
  const systems: Record<typeof role, readonly EventSystem[]> = {
    all: ["worker", "orchestration", "task_readiness"],
    server: ["orchestration", "task_readiness"],
    worker: ["worker"],
  };
  return systems[role].filter((system) => isDisabled(config, system)).map((one) => says[one]);
}

/**
 * How a host finds out that there is work. `PollingOnly` opens no LISTEN connection. `EventDrivenOnly` does not look every
 * `pump.poll_interval_ms`, but only with its health check: a lost notification must delay a task, not lose it.
 */
export function deployment(
  config: Config,
  system: Exclude<EventSystem, "task_readiness">,
): { readonly isListening: boolean; readonly pollIntervalMs: number } {
  const { deployment_mode: mode, timing } = eventSystem(config, system);
  return {
    isListening: mode !== "PollingOnly" && mode !== "Disabled",
    pollIntervalMs:
      mode === "EventDrivenOnly"
        ? timing.health_check_interval_seconds * 1000
        : config.pump.poll_interval_ms,
  };
}
