import type { JsonObject, JsonValue } from "../lib/json-number.js";

/**
 * A task template in its normalised form: the JSON that is stored in `named_tasks.configuration`, with
 * every default filled in. Keys are the contract's (`contract/template.md`), hence snake_case.
 */

export const STEP_TYPES = [
  "standard",
  "decision",
  "deferred_convergence",
  "batchable",
  "batch_worker",
] as const;
export type StepType = (typeof STEP_TYPES)[number];

export const BACKOFF_KINDS = ["none", "linear", "exponential", "fibonacci"] as const;
export type BackoffKind = (typeof BACKOFF_KINDS)[number];

export const IDENTITY_STRATEGIES = ["strict", "caller_provided", "always_unique"] as const;
export type IdentityStrategy = (typeof IDENTITY_STRATEGIES)[number];

export const STALENESS_ACTIONS = ["dlq", "error", "none"] as const;
export type StalenessAction = (typeof STALENESS_ACTIONS)[number];

export const EVENT_CONDITIONS = [
  "success",
  "failure",
  "retryable_failure",
  "permanent_failure",
  "always",
] as const;
export type EventCondition = (typeof EVENT_CONDITIONS)[number];

export const DELIVERY_MODES = ["durable", "fast", "broadcast"] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];

export const FAILURE_STRATEGIES = ["continue_on_failure", "fail_fast", "isolate"] as const;
export type FailureStrategy = (typeof FAILURE_STRATEGIES)[number];

export interface HandlerDefinition {
  readonly callable: string;
  /** Null means `call`. */
  readonly method: string | null;
  readonly resolver: string | null;
  readonly initialization: JsonObject;
}

export interface RetryPolicy {
  readonly retryable: boolean;
  /** Total attempts including the first; 0 is accepted and means one attempt. */
  readonly max_attempts: number;
  readonly backoff: BackoffKind;
  /** Null: the global configuration decides. */
  readonly backoff_base_ms: number | null;
  readonly max_backoff_ms: number | null;
  /** Only when written. False: after a lost delivery the step fails instead of running again. */
  readonly redeliver?: boolean;
}

/** What a step has when its `retry` block is absent; inside a written block both numbers default to null. */
export const DEFAULT_RETRY: RetryPolicy = {
  retryable: true,
  max_attempts: 3,
  backoff: "exponential",
  backoff_base_ms: 1000,
  max_backoff_ms: 30_000,
};

export interface EventPublication {
  readonly name: string;
  readonly description: string;
  readonly condition: EventCondition;
  readonly schema: JsonObject;
  readonly delivery_mode: DeliveryMode;
  readonly publisher: string | null;
}

export interface BatchConfig {
  readonly batch_size: number;
  readonly parallelism: number;
  readonly cursor_field: string;
  readonly worker_template: string;
  readonly failure_strategy: FailureStrategy;
}

export interface StepDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly handler: HandlerDefinition;
  readonly type: StepType;
  readonly system_dependency: string | null;
  readonly dependencies: readonly string[];
  readonly retry: RetryPolicy;
  /**
   * Present only when a written `retry` block happens to equal {@link DEFAULT_RETRY}, which the normalised
   * form could not tell from an absent one: written values win over the global configuration, defaults do
   * not. Never delivered to handlers.
   */
  readonly retry_written?: true;
  readonly timeout_seconds: number | null;
  readonly publishes_events: readonly EventPublication[];
  readonly batch_config: BatchConfig | null;
  readonly result_schema?: JsonObject;
  readonly composition?: JsonValue;
}

export interface EnvironmentStepOverride {
  /** A step's name, or `ALL`. */
  readonly name: string;
  readonly handler: { readonly initialization: JsonObject } | null;
  readonly timeout_seconds: number | null;
  readonly retry: RetryPolicy | null;
}

export interface EnvironmentOverride {
  readonly steps: readonly EnvironmentStepOverride[];
}

export interface LifecycleConfig {
  readonly max_waiting_for_dependencies_minutes: number;
  readonly max_waiting_for_retry_minutes: number;
  readonly max_steps_in_process_minutes: number;
  readonly max_duration_minutes: number | null;
  readonly staleness_action: StalenessAction;
  readonly auto_fail_on_timeout: boolean | null;
  readonly auto_dlq_on_timeout: boolean | null;
}

export interface TemplateMetadata {
  readonly author: string | null;
  readonly tags: readonly string[];
  readonly documentation_url: string | null;
  readonly created_at: string | null;
  readonly updated_at: string | null;
}

export interface DomainEventDeclaration {
  readonly name: string;
  readonly description: string | null;
  readonly schema: JsonObject | null;
}

export interface TaskTemplate {
  readonly name: string;
  readonly namespace_name: string;
  readonly version: string;
  readonly description: string | null;
  readonly metadata: TemplateMetadata | null;
  readonly system_dependencies: { readonly primary: string; readonly secondary: readonly string[] };
  readonly domain_events: readonly DomainEventDeclaration[];
  readonly input_schema: JsonObject | null;
  readonly steps: readonly StepDefinition[];
  readonly environments: Readonly<Record<string, EnvironmentOverride>>;
  readonly lifecycle: LifecycleConfig | null;
  readonly identity_strategy: IdentityStrategy;
}

/** `namespace/name/version`, the identity under which a template is registered. */
export function templateKey(
  template: Pick<TaskTemplate, "namespace_name" | "name" | "version">,
): string {
  return `${template.namespace_name}/${template.name}/${template.version}`;
}
