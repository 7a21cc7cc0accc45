/**
 * What crosses a dispatch channel and a completion channel. Every transport (in-process TypeScript, the
 * bridge to Python and Ruby, native libraries) takes a {@link StepDelivery} and answers with exactly one
 * {@link StepCompletion}; nothing here knows which transport it is.
 */

/** The step event as bytes and as a value; each form is built on first use and kept. */
export interface StepPayload {
  /** UTF-8 JSON text of the contract's TaskSequenceStep (`contract/wire-types.md` section 1). */
  bytes(): Uint8Array;
  /** The same, parsed. Shared and to be treated as frozen. */
  value(): TaskSequenceStep;
  /** The same event but for `workflow_step.checkpoint`, which becomes this JSON text. */
  withCheckpoint(checkpointJson: string): StepPayload;
}

/** `contract/wire-types.md` section 1, as parsed JSON. */
export interface TaskSequenceStep {
  task: {
    task: Record<string, unknown>;
    task_name: string;
    task_version: string;
    namespace_name: string;
  };
  workflow_step: Record<string, unknown>;
  dependency_results: Record<string, Record<string, unknown>>;
  step_definition: Record<string, unknown>;
}

/** One dispatch of one step: a new one is made for every attempt and every redelivery. */
export interface StepDelivery {
  /** UUIDv7, new for each dispatch; the contract's `event_id`. */
  readonly deliveryId: string;
  readonly taskId: bigint;
  /** Revision of the template, and the step's place in it; batch workers have that of their template step. */
  readonly templateId: number;
  readonly templateOrdinal: number;
  readonly stepId: bigint;
  /** The fence: a completion is accepted only while the step row still carries this token. */
  readonly leaseToken: bigint;
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly stepName: string;
  readonly correlationId: string;
  readonly parentCorrelationId: string | null;
  readonly callable: string;
  readonly method: string | null;
  readonly pool: string;
  /** 1 on the first run. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Deadline of this attempt, counted from the moment a handler starts. */
  readonly timeoutMs: number;
  readonly leaseMs: number;
  /** The step was held by a process that died: it must run alone in its process (DATABASE section 5). */
  readonly solo: boolean;
  readonly traceparent: string | null;
  readonly payload: StepPayload;
}

export type FailureKind =
  | "handler"
  | "timeout"
  | "cancelled"
  | "handler_not_found"
  | "invalid_result"
  | "payload_too_large"
  | "panic";

/** What a publisher in the handler process made of an event that the step declares. */
export interface HandlerEvent {
  readonly name: string;
  /** Of the handler's own answer: the host may have to judge otherwise, and then the event is not due. */
  readonly on: "success" | "failure" | "always";
  /** Why there is nothing to publish: a hook declined, or one failed. */
  readonly verdict: "publish" | "declined" | "failed";
  readonly publisher: string;
  /** JSON text. */
  readonly payload: Uint8Array;
  /** JSON text of an object, or null: what goes into the event's metadata. */
  readonly metadata: Uint8Array | null;
  /** Becomes true with the commit, before the answer is acknowledged: its publisher wants to know. */
  isPublished: boolean;
}

/** A handler's answer. Bodies stay bytes: the host splices them into the stored result unparsed. */
export interface StepSuccess {
  readonly outcome: "success";
  /** JSON text of the handler's result value. */
  readonly value: Uint8Array;
  /** JSON text of an object `{metadata?, orchestration_metadata?}`, or null. */
  readonly detail: Uint8Array | null;
  readonly executionMs: number;
  readonly resultKind: "success" | "decision" | "batch_plan";
  readonly events?: readonly HandlerEvent[];
}

export interface StepFailure {
  readonly outcome: "failure";
  readonly kind: FailureKind;
  readonly errorType: string;
  readonly errorCode: string | null;
  readonly message: string;
  readonly retryable: boolean;
  /** A server's hint (`Retry-After`); null when the handler gave none. */
  readonly retryAfterMs: number | null;
  readonly statusCode: number | null;
  /** JSON text of an object `{metadata?, orchestration_metadata?, context?, backtrace?}`, or null. */
  readonly detail: Uint8Array | null;
  readonly executionMs: number;
  readonly events?: readonly HandlerEvent[];
}

/** The delivery was lost before an answer (process died, connection gone, drained): redelivered, no attempt counted. */
export interface StepLost {
  readonly outcome: "lost";
  readonly reason: "worker_lost" | "drained";
  /** No other delivery was in the same process when it died. Only these count towards `max_deaths`. */
  readonly alone: boolean;
  readonly message: string;
}

/** How a delivery ended for good. */
export type StepOutcome = StepSuccess | StepFailure | StepLost;

/**
 * Progress to be stored (`contract/wire-types.md` section 5). Ends its delivery and nothing else: the step stays where it
 * is and is delivered again at once. Values stay the handler's bytes.
 */
export interface StepYield {
  readonly outcome: "yield";
  /** JSON text. */
  readonly cursor: Uint8Array;
  readonly itemsProcessed: number;
  /** JSON text, or null. */
  readonly accumulatedResults: Uint8Array | null;
  readonly executionMs: number;
}

/** An outcome on its way to the database, with the delivery it answers. */
export interface StepCompletion<Outcome = StepOutcome | StepYield> {
  readonly delivery: StepDelivery;
  readonly outcome: Outcome;
  /** Which handler process or in-process worker answered, for the audit trail. */
  readonly workerName: string;
  /** Called once after the database has decided. Never throws. */
  readonly settled: (verdict: CompletionVerdict) => void;
}

/** `committed`: stored (or stored before, same token). `stale`: the lease had moved on. `rejected`: could not be stored. */
export type CompletionVerdict = "committed" | "stale" | "rejected";

/** Where results are put. A full channel makes the caller wait; a result is never dropped. */
export interface CompletionSink {
  put(completion: StepCompletion): Promise<void>;
}
