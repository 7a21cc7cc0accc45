import { z } from "zod";
import { optionalText, queryInteger } from "../fields.js";

const required = (max: number, emptyMessage: string) =>
  z
    .string()
    .min(1, { error: `!${emptyMessage}` })
    .max(max);
const isTimestamp = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/.test(text) &&
  !Number.isNaN(Date.parse(text));

/** contract/rest.md section 2.1. Unknown fields are ignored. */
export const taskRequestBody = z.object({
  name: required(255, "Task name cannot be empty"),
  namespace: required(255, "Namespace cannot be empty"),
  version: required(50, "Version cannot be empty"),
  /** Any JSON; what is not an object contributes nothing. */
  context: z.json(),
  initiator: z.string().min(1).max(128),
  source_system: z.string().min(1).max(128),
  reason: z.string().min(1).max(128),
  tags: z.array(z.string().max(255)).max(100).default([]),
  /** Ignored: the server's clock decides. */
  requested_at: z
    .string()
    .regex(/^\d{4}-/, { abort: true })
    .superRefine((text, context) => {
      if (isTimestamp(text)) return;
      context.addIssue({
        code: "invalid_format",
        format: "datetime",
        message: "expected a timestamp",
      });
    })
    .optional(),
  options: z.record(z.string(), z.json()).nullish(),
  priority: z.int().min(-100).max(100).nullish(),
  correlation_id: z.uuid().optional(),
  parent_correlation_id: z.uuid().nullish(),
  idempotency_key: z.string().min(1).max(255).nullish(),
});
export type TaskRequestBody = z.output<typeof taskRequestBody>;

export const taskListQuery = z.object({
  page: queryInteger(1, 1, 1_000_000_000, "page must be >= 1"),
  per_page: queryInteger(25, 1, 100, "per_page must be between 1 and 100"),
  namespace: optionalText,
  status: optionalText,
  initiator: optionalText,
  source_system: optionalText,
});

const timestamp = z.string().meta({ format: "date-time" });
const naive = z.string();
const count = z.int().min(0);

export const stepReadiness = z.object({
  workflow_step_uuid: z.uuid(),
  task_uuid: z.uuid(),
  named_step_uuid: z.uuid(),
  name: z.string(),
  current_state: z.string(),
  dependencies_satisfied: z.boolean(),
  retry_eligible: z.boolean(),
  ready_for_execution: z.boolean(),
  last_failure_at: naive.nullable(),
  next_retry_at: naive.nullable(),
  total_parents: count,
  completed_parents: count,
  attempts: count,
  max_attempts: count,
  backoff_request_seconds: count.nullable(),
  last_attempted_at: naive.nullable(),
});

const taskFields = {
  task_uuid: z.uuid(),
  name: z.string(),
  namespace: z.string(),
  version: z.string(),
  status: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
  completed_at: timestamp.nullable(),
  initiator: z.string(),
  source_system: z.string(),
  reason: z.string(),
  correlation_id: z.uuid(),
  total_steps: count,
  pending_steps: count,
  in_progress_steps: count,
  completed_steps: count,
  failed_steps: count,
  execution_status: z.string(),
  completion_percentage: z.number(),
  health_status: z.string(),
};

export const taskResponse = z.object({
  ...taskFields,
  recommended_action: z.string(),
  context: z.json(),
  priority: z.int(),
  tags: z.array(z.string()).nullable(),
  parent_correlation_id: z.uuid().nullable(),
  ready_steps: count,
  steps: z.array(stepReadiness),
});

export const taskListResponse = z.object({
  tasks: z.array(taskResponse),
  pagination: z.object({
    page: count,
    per_page: count,
    total_count: count,
    total_pages: count,
    has_next: z.boolean(),
    has_previous: z.boolean(),
  }),
});

export const taskSummaryResponse = z.object({
  task: z.object({ ...taskFields, recommended_action: z.string().nullable() }),
  template: z.object({
    steps: z.array(
      z.object({
        name: z.string(),
        step_type: z.string(),
        handler: z.string(),
        dependencies: z.array(z.string()),
        retryable: z.boolean(),
        max_attempts: count,
      }),
    ),
  }),
  steps: z.array(
    z.object({
      step_uuid: z.uuid(),
      name: z.string(),
      current_state: z.string(),
      created_at: z.string(),
      completed_at: z.string().nullable(),
      last_attempted_at: z.string().nullable(),
      attempts: count,
      max_attempts: count,
      dependencies_satisfied: z.boolean(),
      retry_eligible: z.boolean(),
      error: z
        .object({
          error_type: z.string().nullable(),
          retryable: z.boolean(),
          status_code: z.int().nullable(),
        })
        .nullable(),
    }),
  ),
  dlq: z.object({
    in_dlq: z.boolean(),
    dlq_reason: z.string().nullable(),
    resolution_status: z.string().nullable(),
  }),
  links: z.object({ task: z.string(), steps: z.string(), dlq: z.string() }),
});
