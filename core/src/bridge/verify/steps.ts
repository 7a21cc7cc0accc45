import type { StepHeader } from "@tasker-core/sdk/protocol";
import { newUuid } from "../../lib/uuid.js";

export interface StepOptions {
  readonly callable: string;
  readonly pool: string;
  /** JSON text of the task's context. */
  readonly context: string;
  /** JSON text of the step's checkpoint. */
  readonly checkpoint?: string;
  readonly timeoutMs?: number;
}

/** A step as a host would send it. */
export function buildStep(options: StepOptions): { header: StepHeader; body: Buffer } {
  const taskUuid = newUuid();
  const stepUuid = newUuid();
  const header: StepHeader = {
    type: "step",
    delivery_id: newUuid(),
    task_uuid: taskUuid,
    step_uuid: stepUuid,
    correlation_id: newUuid(),
    callable: options.callable,
    pool: options.pool,
    attempt: 1,
    max_attempts: 3,
    timeout_ms: options.timeoutMs ?? 30_000,
    lease_ms: 30_000,
  };
  const createdAt = "2026-01-01T00:00:00";
  const task = {
    task_uuid: taskUuid,
    named_task_uuid: newUuid(),
    complete: false,
    requested_at: createdAt,
    initiator: "tasker bridge verify",
    source_system: "verify",
    reason: "conformance",
    tags: null,
    identity_hash: taskUuid,
    priority: 0,
    created_at: createdAt,
    updated_at: createdAt,
    correlation_id: header.correlation_id,
    parent_correlation_id: null,
  };
  const step = {
    workflow_step_uuid: stepUuid,
    task_uuid: taskUuid,
    named_step_uuid: newUuid(),
    name: "conformance",
    template_step_name: "conformance",
    retryable: true,
    max_attempts: 3,
    in_process: false,
    processed: false,
    processed_at: null,
    attempts: 0,
    last_attempted_at: null,
    backoff_request_seconds: null,
    results: null,
    created_at: createdAt,
    updated_at: createdAt,
    inputs: null,
  };
  const definition = {
    name: "conformance",
    description: null,
    handler: { callable: options.callable, method: null, resolver: null, initialization: {} },
    system_dependency: null,
    dependencies: [],
    retry: { retryable: true, max_attempts: 3, backoff: "exponential", backoff_base_ms: 1000 },
    timeout_seconds: 30,
    publishes_events: [],
  };
  // Texts, so that the numbers of the context arrive as they are written.
  const taskText = `${JSON.stringify(task).slice(0, -1)},"context":${options.context}}`;
  const stepText = `${JSON.stringify(step).slice(0, -1)},"checkpoint":${options.checkpoint ?? "null"}}`;
  const body = `{"task":{"task":${taskText},"task_name":"conformance","task_version":"1.0.0","namespace_name":"verify"},"workflow_step":${stepText},"dependency_results":{},"step_definition":${JSON.stringify(definition)}}`;
  return { header, body: Buffer.from(body) };
}
