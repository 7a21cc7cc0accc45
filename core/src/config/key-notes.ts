/** What a key is for, where its name does not say it. A test compares the paths with the schema. */
export const KEY_NOTES: Readonly<Record<string, string>> = {
  "common.database.url": "Postgres; empty: the project's own, in common.database.embedded.data_dir",
  "common.database.allow_unsafe": "run on a server that may lose what it has accepted (fsync off)",
  "common.database.embedded.data_dir": "where the project's own Postgres lives",
  "common.database.pool.max_connections": "of one process; workers use few",
  "common.pgmq_database.url": "empty: the queues are in common.database",
  "common.queues.naming_pattern": "of worker queues",
  "common.queues.pgmq.queue_depth_thresholds.critical_threshold":
    "messages from which on health says critical",
  "common.queues.pgmq.queue_depth_thresholds.overflow_threshold":
    "messages from which on tasks are refused",
  "common.backoff.default_backoff_seconds":
    "the first one is the base of steps without a retry block",
  "common.task_templates.search_paths": "where templates are looked for",
  "common.execution.environment": "what the API reports",
  "orchestration.shutdown_timeout_ms":
    "how long running steps may go on after a stop was asked for",
  "orchestration.decision_points.max_steps_per_decision": "larger outcomes are refused",
  "orchestration.dlq.staleness_detection.dry_run": "report only",
  "orchestration.dlq.staleness_detection.thresholds.waiting_for_dependencies_minutes":
    "where the template's lifecycle sets none",
  "orchestration.dlq.staleness_detection.thresholds.waiting_for_retry_minutes":
    "where the template's lifecycle sets none",
  "orchestration.dlq.staleness_detection.thresholds.steps_in_process_minutes":
    "where the template's lifecycle sets none",
  "orchestration.dlq.staleness_detection.thresholds.task_max_lifetime_hours": "of any task",
  "orchestration.batch_processing.max_workers_per_batch": "a plan with more fails its step",
  "orchestration.event_systems.task_readiness.timing.fallback_polling_interval_seconds":
    "how often due retries are looked for",
  "orchestration.web.enabled": "false: no HTTP server",
  "orchestration.web.bind_address":
    "an address other machines reach needs orchestration.web.auth, or is refused",
  "orchestration.web.request_timeout_ms": "then the answer is 408",
  "worker.mpsc_channels.handler_dispatch.max_concurrent_handlers": "steps at a time, per language",
  "worker.mpsc_channels.handler_dispatch.handler_timeout_ms":
    "where the step has no timeout_seconds",
  "worker.mpsc_channels.ffi_dispatch.completion_timeout_ms":
    "a Python or Ruby step that does not answer fails as retryable",
  "worker.join.addresses":
    "where handler processes may join: unix:/path, tcp:127.0.0.1:port, tls:…",
  "worker.join.token_file": "a file with the token that joining processes have to know",
  "worker.python.command": "the interpreter",
  "worker.ruby.command": "the interpreter",
  "worker.typescript.handlers": "files and folders; the command line wins",
  "worker.python.handlers": "files and folders; the command line wins",
  "worker.ruby.handlers": "files and folders; the command line wins",
  "compatibility.profile":
    "tasker-core restores the reference's leniency where existing set-ups lean on it",
  "templates.unknown_keys": "auto: warn, or ignore under the compatibility profile",
  "lease.lease_seconds":
    "a step of a dead worker runs again at most this long after; renewed at a third",
  "lease.guard_thread":
    "a thread of its own keeps the leases while a TypeScript handler blocks the event loop",
  "lease.max_deaths": "processes a step may take down before it is given up",
  "lease.handler_wait_seconds":
    "how long a step waits for a worker that knows its callable; 0 fails it at once",
  "pump.batch_size": "results and claims per database call",
  "pump.poll_interval_ms": "the guarantee behind NOTIFY",
  "pump.idle_after_ms": "quiet time before a fused host asks the others for a NOTIFY",
  "pump.prefetch_ms": "work in hand beyond what is running, as time",
  "pump.max_prefetch_per_slot": "the same as deliveries per running handler, at most",
  "pump.cache_bytes": "of task contexts and of step results that a host keeps in memory, each",
  "pump.reconcile_interval_seconds": "repairs steps whose message or timer was lost",
  "pump.checkpoint_history_limit": "entries of a step's checkpoint history to keep, the newest",
  "retention.enabled": "finished tasks are deleted after a while, with all that belongs to them",
  "retention.finished_task_days": "since the task became final",
  "retention.batch_size": "tasks per transaction",
  "retention.log_sweep_interval_minutes": "how often the audit trail is read for deleted tasks",
  "logging.level": "LOG_LEVEL and --log-level win",
  "logging.format": "auto: readable lines on a terminal, JSON elsewhere",
};
