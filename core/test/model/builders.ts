import {
  DEFAULT_RETRY,
  type StepDefinition,
  type StepType,
  type TaskTemplate,
} from "../../src/model/index.js";

/** A step as the loader would give it: only what a test is about needs to be said. */
export function step(name: string, more: Partial<StepDefinition> = {}): StepDefinition {
  return {
    name,
    description: null,
    handler: { callable: `handle_${name}`, method: null, resolver: null, initialization: {} },
    type: "standard",
    system_dependency: null,
    dependencies: [],
    retry: DEFAULT_RETRY,
    timeout_seconds: null,
    publishes_events: [],
    batch_config: null,
    ...more,
  };
}

/** `after("c", "a", "b")`: a standard step c that waits for a and b. */
export function after(name: string, ...dependencies: string[]): StepDefinition {
  return step(name, { dependencies });
}

export function typed(type: StepType, name: string, ...dependencies: string[]): StepDefinition {
  return step(name, { type, dependencies });
}

export function template(
  steps: readonly StepDefinition[],
  more: Partial<TaskTemplate> = {},
): TaskTemplate {
  return {
    name: "example",
    namespace_name: "tests",
    version: "1.0.0",
    description: null,
    metadata: null,
    system_dependencies: { primary: "default", secondary: [] },
    domain_events: [],
    input_schema: null,
    steps,
    environments: {},
    lifecycle: null,
    identity_strategy: "strict",
    ...more,
  };
}
