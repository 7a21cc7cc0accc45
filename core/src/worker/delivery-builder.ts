import type { StepDelivery } from "../channels/index.js";
import type { ClaimedStep } from "../db/functions/index.js";
import { newUuid } from "../lib/uuid.js";
import type { RuntimeStep, RuntimeTemplate } from "../lifecycle/runtime-template.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import { stepUuidOf } from "../model/index.js";
import type { Lineages, StepLineage } from "./step-lineage.js";
import { textPayload } from "./step-payload.js";
import { type CachedTask, naiveTime, type TaskCache } from "./task-cache.js";

export interface DeliverySettings {
  /** Deadline of an attempt whose step names none. */
  readonly handlerTimeoutMs: number;
  readonly leaseMs: number;
  readonly poolOf: (callable: string) => string;
}

interface Source {
  readonly claim: ClaimedStep;
  readonly template: RuntimeTemplate;
  readonly step: RuntimeStep;
  readonly task: CachedTask;
  readonly lineage: StepLineage;
}

/**
 * Turns claimed steps into step events. What the caches hold is used as it is; the rest is fetched with one
 * statement per kind for the whole batch.
 */
export class DeliveryBuilder {
  readonly #registry: TemplateRegistry;
  readonly #cache: TaskCache;
  readonly #settings: DeliverySettings;
  readonly #lineages: Lineages;

  constructor(
    registry: TemplateRegistry,
    cache: TaskCache,
    lineages: Lineages,
    settings: DeliverySettings,
  ) {
    this.#registry = registry;
    this.#cache = cache;
    this.#lineages = lineages;
    this.#settings = settings;
  }

  async build(claims: readonly ClaimedStep[]): Promise<StepDelivery[]> {
    await this.#registry.ensure(claims.map((claim) => claim.templateId));
    await this.#cache.loadTasks(claims.map((claim) => claim.taskId));
    for (const claim of claims) this.#cache.noteEpoch(claim.taskId, claim.dataEpoch);
    const lineages = await this.#lineages.of(claims);
    const sources = claims.map((claim) => this.#source(claim, lineages.get(claim.stepId)));
    await this.#cache.loadResults(sources.flatMap((source) => this.#missingResults(source)));
    // Whoever is leased for the first time has not yielded before.
    const again = claims.filter((claim) => claim.token > 1).map((claim) => claim.stepId);
    const checkpoints = await this.#cache.loadCheckpoints(again);
    return sources.map((source) =>
      this.#delivery(source, checkpoints.get(source.claim.stepId) ?? "null"),
    );
  }

  #source(claim: ClaimedStep, lineage: StepLineage | undefined): Source {
    const template = this.#registry.get(claim.templateId);
    const step = template?.steps[claim.templateOrdinal];
    const task = this.#cache.task(claim.taskId);
    if (!template || !step || !task || !lineage) {
      throw new Error(
        `Claimed step ${claim.stepId} of task ${claim.taskId} has no ${task === undefined ? "task" : "template"} row`,
      );
    }
    return { claim, template, step, task, lineage };
  }

  #missingResults({ claim, lineage }: Source): { stepId: bigint; epoch: number }[] {
    return lineage.ancestors
      .filter(({ stepId }) => this.#cache.result(stepId, claim.dataEpoch) === undefined)
      .map(({ stepId }) => ({ stepId, epoch: claim.dataEpoch }));
  }

  #delivery(source: Source, checkpointJson: string): StepDelivery {
    const { claim, step, task, lineage } = source;
    const stepUuid = stepUuidOf(task.taskUuid, claim.stepId);
    // Taken now: by the time a handler starts, the cache may have let them go.
    const results = this.#dependencyResults(source);
    return {
      deliveryId: newUuid(),
      taskId: claim.taskId,
      templateId: claim.templateId,
      templateOrdinal: claim.templateOrdinal,
      stepId: claim.stepId,
      leaseToken: BigInt(claim.token),
      taskUuid: task.taskUuid,
      stepUuid,
      stepName: lineage.name,
      correlationId: task.correlationId,
      parentCorrelationId: task.parentCorrelationId,
      callable: step.callable,
      method: step.method,
      pool: this.#settings.poolOf(step.callable),
      attempt: claim.attempts,
      maxAttempts: step.maxAttempts,
      timeoutMs: step.timeoutMs ?? this.#settings.handlerTimeoutMs,
      leaseMs: this.#settings.leaseMs,
      solo: claim.solo,
      traceparent: null,
      payload: textPayload(
        (checkpoint) =>
          `{"task":${task.json},"workflow_step":${workflowStepJson(source, stepUuid, checkpoint)},"dependency_results":{${results.join(",")}},"step_definition":${step.definitionJson}}`,
        checkpointJson,
      ),
    };
  }

  #dependencyResults({ claim, lineage }: Source): string[] {
    return lineage.ancestors.flatMap(({ stepId, name }) => {
      const body = this.#cache.result(stepId, claim.dataEpoch);
      return body === undefined ? [] : [`${JSON.stringify(name)}:${body}`];
    });
  }
}

/** The step row as it was before the claim: on the n-th run attempts is n - 1 (`contract/wire-types.md` section 1). */
function workflowStepJson(
  { claim, step, task, lineage }: Source,
  stepUuid: string,
  checkpointJson: string,
): string {
  const row = {
    workflow_step_uuid: stepUuid,
    task_uuid: task.taskUuid,
    named_step_uuid: step.namedStepUuid,
    name: lineage.name,
    template_step_name: step.name,
    retryable: step.retryable,
    max_attempts: step.maxAttempts,
    in_process: false,
    processed: false,
    processed_at: null,
    attempts: claim.attempts - 1,
    last_attempted_at: claim.lastAttemptedAt === null ? null : naiveTime(claim.lastAttemptedAt),
    backoff_request_seconds: claim.backoffSeconds,
    results: null,
    created_at: naiveTime(claim.createdAt),
    updated_at: naiveTime(claim.lastAttemptedAt ?? claim.createdAt),
  };
  return `${JSON.stringify(row).slice(0, -1)},"inputs":${lineage.inputsJson},"checkpoint":${checkpointJson}}`;
}
