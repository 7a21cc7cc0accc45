import { type FfiStepEvent, toFfiStepEvent } from "../../src/host.js";

export interface EventParts {
  readonly callable?: string;
  readonly method?: string | null;
  readonly resolver?: string | null;
  readonly stepName?: string;
  readonly context?: Record<string, unknown>;
  readonly inputs?: Record<string, unknown>;
  readonly initialization?: Record<string, unknown>;
  /** Step name to bare result; wrapped into the stored form here. */
  readonly dependencies?: Record<string, unknown>;
  readonly attempts?: number | null;
  readonly maxAttempts?: number;
  readonly checkpoint?: Record<string, unknown> | null;
}

const TASK_UUID = "0190a000-0000-7000-8000-000000000001";
const STEP_UUID = "0190a000-0000-7000-8000-000000000002";

export function wireStep(parts: EventParts = {}) {
  const dependencies = Object.entries(parts.dependencies ?? {}).map(([name, result]) => [
    name,
    {
      step_uuid: STEP_UUID,
      success: true,
      result,
      status: "completed",
      metadata: {},
      error: null,
    },
  ]);
  return {
    task: {
      task: {
        task_uuid: TASK_UUID,
        context: parts.context ?? {},
        priority: 5,
        correlation_id: "c1",
        created_at: "2026-01-02T03:04:05.678901",
      },
      task_name: "order",
      task_version: "1.0.0",
      namespace_name: "shop",
    },
    workflow_step: {
      workflow_step_uuid: STEP_UUID,
      task_uuid: TASK_UUID,
      name: parts.stepName ?? "charge",
      template_step_name: parts.stepName ?? "charge",
      retryable: true,
      max_attempts: parts.maxAttempts ?? 3,
      attempts: parts.attempts ?? null,
      inputs: parts.inputs ?? null,
      checkpoint: parts.checkpoint ?? null,
    },
    dependency_results: Object.fromEntries(dependencies) as Record<string, Record<string, unknown>>,
    step_definition: {
      name: parts.stepName ?? "charge",
      handler: {
        callable: parts.callable ?? "charge",
        method: parts.method ?? null,
        resolver: parts.resolver ?? null,
        initialization: parts.initialization ?? {},
      },
      dependencies: [],
      retry: { retryable: true, max_attempts: 3, backoff: "exponential" },
      timeout_seconds: 30,
    },
  };
}

export function stepEvent(parts: EventParts = {}): FfiStepEvent {
  return toFfiStepEvent(wireStep(parts), {
    eventId: "e1",
    taskUuid: TASK_UUID,
    stepUuid: STEP_UUID,
    correlationId: "c1",
  });
}
