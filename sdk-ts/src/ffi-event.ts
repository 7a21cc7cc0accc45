/**
 * The step event in the camelCase form that TypeScript handlers see, made from the snake_case wire form.
 * Values are shared with the wire form, not copied: treat everything below as frozen.
 */

type Json = Record<string, unknown>;

/** `TaskSequenceStep` as it travels: parsed JSON, snake_case. */
export interface WireTaskSequenceStep {
  readonly task: {
    readonly task: Json;
    readonly task_name: string;
    readonly task_version: string;
    readonly namespace_name: string;
  };
  readonly workflow_step: Json;
  readonly dependency_results: Readonly<Record<string, Json>>;
  readonly step_definition: Json;
}

export interface StepEventIds {
  readonly eventId: string;
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly correlationId: string;
  readonly parentCorrelationId?: string | null;
  readonly traceId?: string | null;
  readonly spanId?: string | null;
}

export interface FfiTask {
  readonly taskUuid: string;
  readonly namedTaskUuid: string | null;
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  readonly context: Json;
  readonly correlationId: string | null;
  readonly parentCorrelationId: string | null;
  readonly complete: boolean;
  readonly priority: number;
  readonly initiator: string | null;
  readonly sourceSystem: string | null;
  readonly reason: string | null;
  readonly tags: unknown;
  readonly identityHash: string | null;
  /** Timestamps are UTC without a zone, as stored. */
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly requestedAt: string | null;
}

export interface FfiWorkflowStep {
  readonly workflowStepUuid: string;
  readonly taskUuid: string;
  readonly namedStepUuid: string | null;
  readonly name: string;
  readonly templateStepName: string;
  readonly retryable: boolean;
  readonly maxAttempts: number | null;
  /** Attempts before this one: null or 0 on the first run. */
  readonly attempts: number | null;
  readonly inProcess: boolean;
  readonly processed: boolean;
  readonly inputs: Json | null;
  readonly results: Json | null;
  readonly backoffRequestSeconds: number | null;
  readonly processedAt: string | null;
  readonly lastAttemptedAt: string | null;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly checkpoint: Json | null;
}

export interface FfiStepDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly handlerCallable: string;
  readonly handlerMethod: string | null;
  readonly handlerResolver: string | null;
  readonly handlerInitialization: Json;
  readonly systemDependency: string | null;
  readonly dependencies: readonly string[];
  readonly timeoutSeconds: number | null;
  readonly retryRetryable: boolean;
  readonly retryMaxAttempts: number;
  readonly retryBackoff: string;
  readonly retryBackoffBaseMs: number | null;
  readonly retryMaxBackoffMs: number | null;
}

export interface FfiDependencyResult {
  readonly stepUuid: string | null;
  readonly success: boolean;
  readonly result: unknown;
  readonly status: string | null;
  readonly errorMessage: string | null;
  readonly errorType: string | null;
  readonly errorRetryable: boolean | null;
}

export interface FfiStepEvent {
  readonly eventId: string;
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly correlationId: string;
  readonly traceId: string | null;
  readonly spanId: string | null;
  readonly taskCorrelationId: string;
  readonly parentCorrelationId: string | null;
  readonly task: FfiTask;
  readonly workflowStep: FfiWorkflowStep;
  readonly stepDefinition: FfiStepDefinition;
  /** All transitive ancestors that have a stored result. */
  readonly dependencyResults: Readonly<Record<string, FfiDependencyResult>>;
}

export function toFfiStepEvent(step: WireTaskSequenceStep, ids: StepEventIds): FfiStepEvent {
  return {
    eventId: ids.eventId,
    taskUuid: ids.taskUuid,
    stepUuid: ids.stepUuid,
    correlationId: ids.correlationId,
    traceId: ids.traceId ?? null,
    spanId: ids.spanId ?? null,
    taskCorrelationId: text(step.task.task["correlation_id"]) ?? ids.correlationId,
    parentCorrelationId: ids.parentCorrelationId ?? null,
    task: taskOf(step, ids),
    workflowStep: workflowStepOf(step.workflow_step, ids),
    stepDefinition: stepDefinitionOf(step.step_definition),
    dependencyResults: dependencyResultsOf(step.dependency_results),
  };
}

function taskOf(step: WireTaskSequenceStep, ids: StepEventIds): FfiTask {
  const task = step.task.task;
  return {
    taskUuid: text(task["task_uuid"]) ?? ids.taskUuid,
    namedTaskUuid: text(task["named_task_uuid"]),
    name: step.task.task_name,
    namespace: step.task.namespace_name,
    version: step.task.task_version,
    context: object(task["context"]) ?? {},
    correlationId: text(task["correlation_id"]),
    parentCorrelationId: text(task["parent_correlation_id"]),
    complete: task["complete"] === true,
    priority: number(task["priority"]) ?? 0,
    initiator: text(task["initiator"]),
    sourceSystem: text(task["source_system"]),
    reason: text(task["reason"]),
    tags: task["tags"] ?? null,
    identityHash: text(task["identity_hash"]),
    createdAt: text(task["created_at"]),
    updatedAt: text(task["updated_at"]),
    requestedAt: text(task["requested_at"]),
  };
}

function workflowStepOf(step: Json, ids: StepEventIds): FfiWorkflowStep {
  const name = text(step["name"]) ?? "";
  return {
    workflowStepUuid: text(step["workflow_step_uuid"]) ?? ids.stepUuid,
    taskUuid: text(step["task_uuid"]) ?? ids.taskUuid,
    namedStepUuid: text(step["named_step_uuid"]),
    name,
    templateStepName: text(step["template_step_name"]) ?? name,
    retryable: step["retryable"] !== false,
    maxAttempts: number(step["max_attempts"]),
    attempts: number(step["attempts"]),
    inProcess: step["in_process"] === true,
    processed: step["processed"] === true,
    inputs: object(step["inputs"]),
    results: object(step["results"]),
    backoffRequestSeconds: number(step["backoff_request_seconds"]),
    processedAt: text(step["processed_at"]),
    lastAttemptedAt: text(step["last_attempted_at"]),
    createdAt: text(step["created_at"]),
    updatedAt: text(step["updated_at"]),
    checkpoint: object(step["checkpoint"]),
  };
}

function stepDefinitionOf(definition: Json): FfiStepDefinition {
  const handler = object(definition["handler"]) ?? {};
  const retry = object(definition["retry"]) ?? {};
  return {
    name: text(definition["name"]) ?? "",
    description: text(definition["description"]),
    handlerCallable: text(handler["callable"]) ?? "",
    handlerMethod: text(handler["method"]),
    handlerResolver: text(handler["resolver"]),
    handlerInitialization: object(handler["initialization"]) ?? {},
    systemDependency: text(definition["system_dependency"]),
    dependencies: Array.isArray(definition["dependencies"])
      ? (definition["dependencies"] as string[])
      : [],
    timeoutSeconds: number(definition["timeout_seconds"]),
    retryRetryable: retry["retryable"] !== false,
    retryMaxAttempts: number(retry["max_attempts"]) ?? 3,
    retryBackoff: text(retry["backoff"]) ?? "exponential",
    retryBackoffBaseMs: number(retry["backoff_base_ms"]),
    retryMaxBackoffMs: number(retry["max_backoff_ms"]),
  };
}

function dependencyResultsOf(
  results: Readonly<Record<string, Json>>,
): Record<string, FfiDependencyResult> {
  const converted: Record<string, FfiDependencyResult> = {};
  for (const name in results) {
    const stored = results[name] ?? {};
    const error = object(stored["error"]);
    converted[name] = {
      stepUuid: text(stored["step_uuid"]),
      success: stored["success"] === true,
      result: stored["result"] ?? null,
      status: text(stored["status"]),
      errorMessage: error === null ? null : text(error["message"]),
      errorType: error === null ? null : text(error["error_type"]),
      errorRetryable: error === null ? null : error["retryable"] === true,
    };
  }
  return converted;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function object(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : null;
}
