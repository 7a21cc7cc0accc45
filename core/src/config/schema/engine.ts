import { choice, flag, integer, table } from "./fields.js";

const MANY = 2_147_483_647;

/** Tables that are ours: the engine's own settings, beside the contract's. */
export const engineTables = {
  compatibility: table({
    /** `tasker-core` restores the reference's leniency where existing set-ups lean on it. */
    profile: choice(["default", "tasker-core"], "default"),
  }),
  templates: table({
    /** `auto`: warn, or ignore under the compatibility profile. */
    unknown_keys: choice(["auto", "ignore", "warn", "error"], "auto"),
  }),
  lease: table({
    /** A step of a dead worker runs again at most this long after; renewed at a third. */
    lease_seconds: integer(1, 3600, 10),
    /** A thread of its own keeps the leases while a TypeScript handler blocks the event loop. */
    guard_thread: flag(true),
    /** Processes a step may take down before it is given up. */
    max_deaths: integer(1, 100, 3),
    /** How long a step waits for a worker that knows its callable; 0 fails it at once. */
    handler_wait_seconds: integer(0, 86_400, 15),
  }),
  pump: table({
    /** Results and claims per database call. */
    batch_size: integer(1, 1000, 200),
    /** The guarantee behind NOTIFY. */
    poll_interval_ms: integer(10, 60_000, 500),
    /** Quiet time before a fused host asks the others for a NOTIFY; split hosts ask at once. */
    idle_after_ms: integer(1, 60_000, 50),
    /** Work in hand beyond what is running, as time: hides the round trip to the database. */
    prefetch_ms: integer(0, 10_000, 20),
    /** The same as deliveries per running handler, at most. */
    max_prefetch_per_slot: integer(0, 1000, 16),
    /** Bytes of task contexts and of step results that a host keeps in memory, each. */
    cache_bytes: integer(1_048_576, MANY, 67_108_864),
    /** Repairs steps whose message or timer was lost. */
    reconcile_interval_seconds: integer(1, 3600, 30),
    /** Entries of a step's checkpoint history to keep, the newest. */
    checkpoint_history_limit: integer(1, 100_000, 100),
  }),
  retention: table({
    /** Finished tasks are deleted after a while, with all that belongs to them. */
    enabled: flag(true),
    /** Since the task became complete, error, cancelled or resolved_manually. */
    finished_task_days: integer(1, 36_500, 30),
    interval_seconds: integer(10, 86_400, 60),
    /** Tasks per transaction. */
    batch_size: integer(1, 10_000, 500),
    /** How often the audit trail is read for rows of deleted tasks. */
    log_sweep_interval_minutes: integer(1, 10_080, 60),
  }),
  logging: table({
    level: choice(["trace", "debug", "info", "warn", "error", "fatal", "silent"], "info"),
    /** `auto`: readable lines on a terminal, JSON elsewhere. */
    format: choice(["auto", "json", "pretty"], "auto"),
  }),
};
