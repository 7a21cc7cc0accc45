import { stringifyJson } from "../lib/json-number.js";
import { resolveEnvironment } from "./environment.js";
import { topologicalOrder } from "./graph-order.js";
import { transitiveAncestors } from "./graph-queries.js";
import { initialSteps } from "./initial-steps.js";
import { type BackoffDefaults, type ResolvedRetry, resolveRetry } from "./resolve-retry.js";
import { type StepGraph, stepGraph } from "./step-graph.js";
import type { StepDefinition, StepType, TaskTemplate } from "./template.js";
import { templateKey } from "./template.js";

export interface CompileEnvironment {
  /** `TASKER_ENV`: which of the template's `environments` applies. */
  readonly environment: string;
  readonly backoff?: BackoffDefaults;
  /** False under the compatibility profile: `timeout_seconds` is then shown but has no effect. */
  readonly enforceStepTimeouts?: boolean;
}

/** A step ready to run. `ordinal` is its place in topological order; its id is task base + ordinal. */
export interface CompiledStep {
  readonly ordinal: number;
  readonly name: string;
  readonly type: StepType;
  readonly callable: string;
  readonly method: string | null;
  readonly resolver: string | null;
  /** Ordinals of all template dependencies and dependents, created at start or not. */
  readonly dependencies: readonly number[];
  readonly children: readonly number[];
  /** Created when the task is. */
  readonly initial: boolean;
  /** Edges that exist at start: dependencies that are themselves {@link initial}. 0 for steps created later. */
  readonly pendingDependencies: number;
  /** Compact JSON of the `step_definition` that handlers receive. */
  readonly definitionJson: string;
  /** Compact JSON for `workflow_steps.inputs`: a copy of the handler's initialization; null when empty. */
  readonly inputsJson: string | null;
  readonly retryable: boolean;
  /** As written: 0 and 1 both mean a single attempt. */
  readonly maxAttempts: number;
  readonly retry: ResolvedRetry;
  /** Run again after a delivery was lost with its process. */
  readonly redeliver: boolean;
  /** The deadline of one attempt; null leaves it to the global handler timeout. */
  readonly timeoutMs: number | null;
  readonly definition: StepDefinition;
}

export interface CompiledTemplate {
  /** `namespace/name/version`. */
  readonly key: string;
  readonly template: TaskTemplate;
  readonly environment: string;
  /** By ordinal: `steps[n].ordinal === n`. */
  readonly steps: readonly CompiledStep[];
  /** Every step exists from the start: no decision, no batch. Ancestors then follow from the template alone. */
  readonly isStatic: boolean;
  ordinalOf(stepName: string): number | undefined;
  /** Ordinals of every transitive dependency, ascending. Computed on first use. */
  ancestorsOf(ordinal: number): readonly number[];
}

// Ancestor lists of a 10 000-step chain hold 50 million ordinals; past this many they are not kept.
const MAX_CACHED_ANCESTORS = 1_000_000;

/**
 * Resolves a template for one environment into what the engine runs: steps in topological order (file
 * order where that allows it), edges as ordinals, bodies as text.
 *
 * @throws StateError TEMPLATE_INVALID when the steps form a cycle
 */
export function compileTemplate(template: TaskTemplate, env: CompileEnvironment): CompiledTemplate {
  const inFileOrder = resolveEnvironment(template, env.environment);
  const order = topologicalOrder(stepGraph(inFileOrder));
  const definitions = order.map((position) => inFileOrder[position] as StepDefinition);
  const graph = stepGraph(definitions);
  const initial = initialSteps(definitions, graph);
  const steps = definitions.map((definition, ordinal) =>
    compileStep(definition, ordinal, graph, initial, env),
  );
  const ordinals = new Map(steps.map((step) => [step.name, step.ordinal]));
  return {
    key: templateKey(template),
    template,
    environment: env.environment,
    steps,
    isStatic: initial.every(Boolean),
    ordinalOf: (stepName) => ordinals.get(stepName),
    ancestorsOf: ancestorCache(graph),
  };
}

function compileStep(
  definition: StepDefinition,
  ordinal: number,
  graph: StepGraph,
  initial: readonly boolean[],
  env: CompileEnvironment,
): CompiledStep {
  const { handler, retry, retry_written: _, ...rest } = definition;
  const dependencies = graph.parents[ordinal] ?? [];
  const isInitial = initial[ordinal] === true;
  const hasInputs = Object.keys(handler.initialization).length > 0;
  const seconds = env.enforceStepTimeouts === false ? null : definition.timeout_seconds;
  return {
    ordinal,
    name: definition.name,
    type: definition.type,
    callable: handler.callable,
    method: handler.method,
    resolver: handler.resolver,
    dependencies,
    children: graph.children[ordinal] ?? [],
    initial: isInitial,
    pendingDependencies: isInitial
      ? dependencies.filter((parent) => initial[parent] === true).length
      : 0,
    definitionJson: stringifyJson({ ...rest, handler, retry }),
    inputsJson: hasInputs ? stringifyJson(handler.initialization) : null,
    retryable: retry.retryable,
    maxAttempts: retry.max_attempts,
    retry: resolveRetry(definition, env.backoff),
    redeliver: retry.redeliver ?? true,
    timeoutMs: seconds === null ? null : seconds * 1000,
    definition,
  };
}

function ancestorCache(graph: StepGraph): (ordinal: number) => readonly number[] {
  const cached = new Map<number, readonly number[]>();
  let held = 0;
  return (ordinal) => {
    const known = cached.get(ordinal);
    if (known !== undefined) return known;
    const ancestors = transitiveAncestors(graph, ordinal);
    if (held + ancestors.length <= MAX_CACHED_ANCESTORS) {
      cached.set(ordinal, ancestors);
      held += ancestors.length;
    }
    return ancestors;
  };
}
