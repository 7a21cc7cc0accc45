import type { JsonValue } from "../../lib/json-number.js";
import type { RuntimeStep, RuntimeTemplate } from "../runtime-template.js";
import { cursorWorkers, placeholderWorker, type WorkerTemplate } from "./batch-workers.js";
import { EdgeList } from "./edge-list.js";
import { addHeldBackEdges, addStandIns, heldBackSteps } from "./held-back.js";
import { readBatchOutcome } from "./outcome-parsing.js";
import {
  type ExpansionPlan,
  ignored,
  impossible,
  NOTHING,
  type PlanLimits,
  type PlannedWorker,
  type PlanResult,
} from "./plan.js";

/** What a completed batchable step creates (`contract/template.md` section 9). */
export function batchPlan(
  template: RuntimeTemplate,
  batchable: RuntimeStep,
  result: JsonValue,
  limits: PlanLimits,
): PlanResult {
  const outcome = readBatchOutcome(result);
  if (outcome.type === "absent") return NOTHING;
  if (outcome.type === "malformed") return ignored(outcome.reason);
  const cursors = outcome.type === "create_batches" ? outcome.cursorConfigs : null;
  if (cursors?.length === 0)
    return ignored("`cursor_configs` is empty: there is nothing to work on");
  const workerName =
    outcome.type === "create_batches"
      ? outcome.workerTemplateName
      : batchable.initialization["worker_template_name"];
  if (typeof workerName !== "string" || workerName === "") {
    return ignored(
      `no_batches needs \`handler.initialization.worker_template_name\` of \`${batchable.name}\` to name a batch worker`,
    );
  }

  const refuse = (what: string): PlanResult =>
    impossible(`the batch of \`${batchable.name}\` cannot be created: ${what}`);
  if (!limits.batchesEnabled) return refuse("orchestration.batch_processing.enabled is false");
  const worker = workerTemplateOf(template, workerName);
  if (typeof worker === "string") return refuse(worker);
  if (cursors !== null && cursors.length > limits.maxWorkers) {
    return refuse(`${cursors.length} workers are more than the ${limits.maxWorkers} allowed`);
  }
  const workers = cursors === null ? [placeholderWorker(worker)] : cursorWorkers(worker, cursors);
  const clash = nameClash(template, workers);
  if (clash !== null) return refuse(clash);

  const convergences = convergencesOf(template, worker.step.ordinal);
  const ancestors = template.ancestorsOf(batchable.ordinal);
  const cyclic = convergences.find((ordinal) => ancestors.includes(ordinal));
  if (cyclic !== undefined) {
    const name = template.steps[cyclic]?.name;
    return refuse(
      `\`${name}\` joins the workers of \`${workerName}\`, but \`${batchable.name}\` waits for it`,
    );
  }
  return {
    kind: "expand",
    plan: expand(template, batchable, worker, workers, convergences),
  };
}

/** The template step that workers are made from, or what is wrong with it. */
function workerTemplateOf(template: RuntimeTemplate, name: string): WorkerTemplate | string {
  const step = template.steps[template.graph.names.indexOf(name)];
  if (step === undefined) return `\`${name}\` is no step of ${template.name} ${template.version}`;
  if (step.type !== "batch_worker") return `\`${name}\` is of type ${step.type}, not batch_worker`;
  if (step.batchConfig === null) return `the batch worker \`${name}\` has no \`batch_config\``;
  return { step, config: step.batchConfig };
}

function nameClash(template: RuntimeTemplate, workers: readonly PlannedWorker[]): string | null {
  const steps = new Set(template.graph.names);
  const seen = new Set<string>();
  for (const { name } of workers) {
    if (seen.has(name)) return `two batches have one batch_id: \`${name}\` would exist twice`;
    if (steps.has(name)) return `the worker \`${name}\` would have the name of a template step`;
    seen.add(name);
  }
  return null;
}

function convergencesOf(template: RuntimeTemplate, worker: number): number[] {
  return template.steps
    .filter(
      ({ type, dependencies }) => type === "deferred_convergence" && dependencies.includes(worker),
    )
    .map(({ ordinal }) => ordinal);
}

function expand(
  template: RuntimeTemplate,
  batchable: RuntimeStep,
  workerTemplate: WorkerTemplate,
  workers: readonly PlannedWorker[],
  convergences: readonly number[],
): ExpansionPlan {
  const heldBack = heldBackSteps(template, batchable.ordinal, convergences);
  const ordinals = [...convergences, ...heldBack.map(({ ordinal }) => ordinal)];
  const created = new Set(ordinals.sort((left, right) => left - right));
  const edges = new EdgeList(template);
  for (const worker of workers.keys()) {
    edges.add({ ordinal: batchable.ordinal }, { worker }, "batch_dependency");
  }
  addTurns(workers.length, workerTemplate.config.parallelism, edges);
  for (const convergence of convergences) {
    for (const worker of workers.keys()) {
      edges.add({ worker }, { ordinal: convergence }, "worker_to_convergence");
    }
    // Its other dependencies give no edge, but another batch's workers are still to come.
    for (const dependency of template.steps[convergence]?.dependencies ?? []) {
      const isOtherBatch = template.steps[dependency]?.type === "batch_worker";
      if (!isOtherBatch || dependency === workerTemplate.step.ordinal) continue;
      addStandIns(template, batchable.ordinal, dependency, convergence, created, edges);
    }
  }
  for (const step of heldBack) {
    addHeldBackEdges(template, batchable.ordinal, step, created, edges);
  }
  return { steps: [...created].map((ordinal) => ({ ordinal })), workers, edges: edges.toArray() };
}

/** `parallelism` lanes, one worker at a time in each: worker n waits for worker n - parallelism (docs/decisions/0005). */
function addTurns(count: number, parallelism: number, edges: EdgeList): void {
  for (let worker = parallelism; worker < count; worker += 1) {
    edges.add({ worker: worker - parallelism }, { worker }, "batch_turn");
  }
}
