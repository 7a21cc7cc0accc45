import { setOwn } from "../lib/json-number.js";
import type { EnvironmentStepOverride, StepDefinition, TaskTemplate } from "./template.js";
import { DEFAULT_RETRY } from "./template.js";

/**
 * The steps as they are in one environment (`contract/template.md` section 5). Entries apply in order;
 * `ALL` applies to every step, another name to the first step that has it, an unknown name to none.
 */
export function resolveEnvironment(
  template: TaskTemplate,
  environment: string,
): readonly StepDefinition[] {
  const overrides = Object.hasOwn(template.environments, environment)
    ? (template.environments[environment]?.steps ?? [])
    : [];
  if (overrides.length === 0) return template.steps;

  const steps = [...template.steps];
  const positions = new Map<string, number>();
  steps.forEach((step, position) => {
    if (!positions.has(step.name)) positions.set(step.name, position);
  });
  for (const override of overrides) {
    const position = positions.get(override.name);
    const targets =
      override.name === "ALL" ? steps.keys() : position === undefined ? [] : [position];
    for (const target of targets) {
      const step = steps[target];
      if (step !== undefined) steps[target] = applyOverride(step, override);
    }
  }
  return steps;
}

function applyOverride(step: StepDefinition, override: EnvironmentStepOverride): StepDefinition {
  const initialization: Record<string, unknown> = {};
  for (const source of [step.handler.initialization, override.handler?.initialization ?? {}]) {
    for (const [key, value] of Object.entries(source)) setOwn(initialization, key, value);
  }
  const resolved: StepDefinition = {
    ...step,
    handler: {
      ...step.handler,
      initialization: initialization as StepDefinition["handler"]["initialization"],
    },
    timeout_seconds: override.timeout_seconds ?? step.timeout_seconds,
  };
  return override.retry === null ? resolved : withWrittenRetry(resolved, override.retry);
}

/** A step with a `retry` block that the template wrote, marked when only the mark can tell. */
export function withWrittenRetry(
  step: Omit<StepDefinition, "retry">,
  retry: StepDefinition["retry"],
): StepDefinition {
  const { retry_written: _, ...rest } = step;
  return isDefaultRetry(retry) ? { ...rest, retry, retry_written: true } : { ...rest, retry };
}

/** Whether a policy says exactly what an absent block says. */
export function isDefaultRetry(retry: StepDefinition["retry"]): boolean {
  return (
    retry.retryable === DEFAULT_RETRY.retryable &&
    retry.max_attempts === DEFAULT_RETRY.max_attempts &&
    retry.backoff === DEFAULT_RETRY.backoff &&
    retry.backoff_base_ms === DEFAULT_RETRY.backoff_base_ms &&
    retry.max_backoff_ms === DEFAULT_RETRY.max_backoff_ms
  );
}
