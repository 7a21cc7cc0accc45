/** What a template declares under `publishes_events`. */
export interface EventDeclaration {
  readonly name: string;
  readonly condition?: "success" | "failure" | "retryable_failure" | "permanent_failure" | "always";
  readonly deliveryMode?: "durable" | "fast" | "broadcast";
  readonly publisher?: string;
  readonly schema?: Readonly<Record<string, unknown>>;
}

export interface StepResult {
  readonly success: boolean;
  /** What the handler returned; an empty object after a failure. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface StepEventContext {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly stepName: string;
  readonly namespace: string;
  readonly correlationId: string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface PublishContext {
  readonly eventName: string;
  readonly stepResult: StepResult;
  readonly eventDeclaration?: EventDeclaration;
  readonly stepContext?: StepEventContext;
}

export interface DomainEventMetadata {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly stepName?: string;
  readonly namespace: string;
  readonly correlationId: string;
  /** RFC 3339, UTC. */
  readonly firedAt: string;
  /** Name of the publisher. */
  readonly publisher?: string;
  /** What the publisher added. */
  readonly [key: string]: unknown;
}

/** A domain event as subscribers in this process get it. Shared between them: treat it as frozen. */
export interface DomainEvent {
  readonly eventId: string;
  readonly eventName: string;
  /** `{ task_sequence_step, execution_result, payload }`, as in the queue. */
  readonly payload: Readonly<Record<string, unknown>>;
  /** The innermost payload: what the publisher made of the handler's result. */
  readonly businessPayload: Readonly<Record<string, unknown>>;
  readonly metadata: DomainEventMetadata;
  readonly executionResult: StepResult;
}

/** The envelope of `contract/wire-types.md` section 7, parsed. */
export interface DomainEventEnvelope {
  readonly event_id: string;
  readonly event_name: string;
  readonly event_version: string;
  readonly payload: {
    readonly task_sequence_step: Readonly<Record<string, unknown>>;
    readonly execution_result: {
      readonly success: boolean;
      readonly result: Readonly<Record<string, unknown>>;
      readonly metadata: Readonly<Record<string, unknown>>;
    };
    readonly payload: Readonly<Record<string, unknown>>;
  };
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly task_uuid: string;
    readonly step_uuid: string;
    readonly step_name: string;
    readonly namespace: string;
    readonly correlation_id: string;
    readonly fired_at: string;
    readonly fired_by: string;
  };
}

export function toDomainEvent(envelope: DomainEventEnvelope): DomainEvent {
  const {
    task_uuid,
    step_uuid,
    step_name,
    namespace,
    correlation_id,
    fired_at,
    fired_by,
    ...rest
  } = envelope.metadata;
  const { success, result, metadata } = envelope.payload.execution_result;
  return {
    eventId: envelope.event_id,
    eventName: envelope.event_name,
    payload: envelope.payload,
    businessPayload: envelope.payload.payload,
    metadata: {
      ...rest,
      taskUuid: task_uuid,
      stepUuid: step_uuid,
      stepName: step_name,
      namespace,
      correlationId: correlation_id,
      firedAt: fired_at,
      publisher: fired_by,
    },
    executionResult: { success, result, metadata },
  };
}
