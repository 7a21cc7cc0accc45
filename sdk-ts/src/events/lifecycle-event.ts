/** The names users know. Hosts also publish finer ones, for example `step.execution_requested`. */
export type LifecycleEventName =
  | "task.started"
  | "task.completed"
  | "task.failed"
  | "step.started"
  | "step.progress"
  | "step.completed"
  | "step.failed"
  | "step.retried";

export interface LifecycleError {
  readonly message: string;
  readonly error_type: string;
  readonly retryable: boolean;
}

/** What happened to a task or step, told after it was committed. Shared between subscribers: treat it as frozen. */
export interface LifecycleEvent {
  readonly type: LifecycleEventName | (string & {});
  /** UUID of the task. */
  readonly task_id: string;
  /** Null for the events of a task. */
  readonly step_name: string | null;
  readonly namespace: string;
  readonly task_name: string;
  readonly version: string;
  /** The context with which the task was created. */
  readonly context: Readonly<Record<string, unknown>>;
  /** What the handler returned; present on `step.completed`. */
  readonly result?: unknown;
  /** How far the handler says it is, in its own measure; present on `step.progress`. */
  readonly progress?: number;
  /** Present when something failed. */
  readonly error?: LifecycleError;
  /** Milliseconds: of the attempt, or since the task was created; null where nothing has ended. */
  readonly duration: number | null;
  /** RFC 3339, UTC. */
  readonly timestamp: string;
  readonly correlation_id: string;
}
