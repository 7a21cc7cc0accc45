/** Steps, as the worker goes through them. */
export const StepEventNames = {
  STEP_EXECUTION_RECEIVED: "step.execution.received",
  STEP_EXECUTION_STARTED: "step.execution.started",
  STEP_EXECUTION_COMPLETED: "step.execution.completed",
  STEP_EXECUTION_FAILED: "step.execution.failed",
  STEP_EXECUTION_TIMEOUT: "step.execution.timeout",
  STEP_COMPLETION_SENT: "step.completion.sent",
  STEP_CHECKPOINT_YIELD_SENT: "step.checkpoint_yield.sent",
} as const;

export const WorkerEventNames = {
  WORKER_STARTED: "worker.started",
  WORKER_READY: "worker.ready",
  WORKER_SHUTDOWN_STARTED: "worker.shutdown.started",
  WORKER_STOPPED: "worker.stopped",
  WORKER_ERROR: "worker.error",
} as const;

export const PollerEventNames = {
  POLLER_STARTED: "poller.started",
  POLLER_STOPPED: "poller.stopped",
  POLLER_CYCLE_COMPLETE: "poller.cycle.complete",
  POLLER_STARVATION_DETECTED: "poller.starvation.detected",
  POLLER_ERROR: "poller.error",
} as const;

export const MetricsEventNames = {
  METRICS_UPDATED: "metrics.updated",
  METRICS_ERROR: "metrics.error",
} as const;

export const EventNames = {
  ...StepEventNames,
  ...WorkerEventNames,
  ...PollerEventNames,
  ...MetricsEventNames,
} as const;

export type StepEventName = (typeof StepEventNames)[keyof typeof StepEventNames];
export type WorkerEventName = (typeof WorkerEventNames)[keyof typeof WorkerEventNames];
export type PollerEventName = (typeof PollerEventNames)[keyof typeof PollerEventNames];
export type MetricsEventName = (typeof MetricsEventNames)[keyof typeof MetricsEventNames];
export type EventName = (typeof EventNames)[keyof typeof EventNames];
