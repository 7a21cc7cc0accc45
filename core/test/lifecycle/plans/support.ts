import type { JsonValue } from "../../../src/lib/json-number.js";
import {
  type ExpansionPlan,
  type NodeRef,
  type PlanLimits,
  type PlanResult,
  planFor,
} from "../../../src/lifecycle/plans/index.js";
import {
  type RuntimeTemplate,
  registrationPayload,
  runtimeTemplate,
} from "../../../src/lifecycle/runtime-template.js";
import {
  type BatchConfig,
  compileTemplate,
  type StepDefinition,
  type TaskTemplate,
} from "../../../src/model/index.js";
import { parseTemplate } from "../../../src/templates/index.js";
import { step, template } from "../../model/builders.js";

export const LIMITS: PlanLimits = {
  decisionsEnabled: true,
  maxStepsPerDecision: 100,
  maxDecisionDepth: 20,
  batchesEnabled: true,
  maxWorkers: 1000,
};

/** As a host has it: through the text that is stored. */
export function stored(source: TaskTemplate): RuntimeTemplate {
  const compiled = compileTemplate(source, { environment: "test" });
  const payload = registrationPayload(compiled, { multiplier: 2, jitter: 0 });
  return runtimeTemplate(payload, {
    templateId: 1,
    namespaceId: 1,
    namedTaskUuid: "00000000-0000-7000-8000-000000000000",
    namedStepUuids: [],
  });
}

export function fromYaml(text: string): RuntimeTemplate {
  const { template: parsed, diagnostics } = parseTemplate(text, "test.yaml");
  if (parsed === null) throw new Error(JSON.stringify(diagnostics));
  return stored(parsed);
}

export function fromSteps(...steps: StepDefinition[]): RuntimeTemplate {
  return stored(template(steps));
}

/** A `batch_worker` step with a configuration. */
export function worker(
  name: string,
  dependencies: readonly string[],
  config: Partial<BatchConfig> = {},
): StepDefinition {
  return step(name, {
    type: "batch_worker",
    dependencies,
    batch_config: {
      batch_size: 10,
      parallelism: 2,
      cursor_field: "id",
      worker_template: name,
      failure_strategy: "fail_fast",
      ...config,
    },
  });
}

export function resultOf(
  runtime: RuntimeTemplate,
  name: string,
  value: JsonValue,
  limits: Partial<PlanLimits> = {},
): PlanResult {
  return planFor(runtime, runtime.graph.names.indexOf(name), value, { ...LIMITS, ...limits });
}

/** A decision's result that requests steps. */
export function choose(...names: string[]): JsonValue {
  return { decision_point_outcome: { type: "create_steps", step_names: names }, reason: "test" };
}

/** An analyzer's result with one range per batch id. */
export function batches(workerName: string, ...ids: string[]): JsonValue {
  return {
    batch_processing_outcome: {
      type: "create_batches",
      worker_template_name: workerName,
      worker_count: ids.length,
      cursor_configs: ids.map((id, index) => ({
        batch_id: id,
        start_cursor: index * 10,
        end_cursor: index * 10 + 10,
        batch_size: 10,
      })),
      total_items: ids.length * 10,
    },
  };
}

export function planOf(result: PlanResult): ExpansionPlan {
  if (result.kind !== "expand") throw new Error(`expected a plan, got ${JSON.stringify(result)}`);
  return result.plan;
}

/** A plan in names: what it creates, and `a > b` per `provides` edge; other edges say their name. */
export function named(
  runtime: RuntimeTemplate,
  plan: ExpansionPlan,
): { created: string[]; edges: string[] } {
  const name = (node: NodeRef): string =>
    "ordinal" in node
      ? (runtime.graph.names[node.ordinal] ?? "?")
      : (plan.workers[node.worker]?.name ?? "?");
  return {
    created: [
      ...plan.steps.map(({ ordinal }) => name({ ordinal })),
      ...plan.workers.map((one) => one.name),
    ],
    edges: plan.edges.map((edge) => {
      const ends = `${name(edge.from)} > ${name(edge.to)}`;
      return edge.name === "provides" ? ends : `${ends} (${edge.name})`;
    }),
  };
}
