import {
  type ClaimedStep,
  type DynamicAncestor,
  loadDynamicAncestors,
  loadDynamicSteps,
} from "../db/functions/index.js";
import type { Queryable } from "../db/index.js";
import { groupBy } from "../lib/group-by.js";
import type { RuntimeStep, RuntimeTemplate } from "../lifecycle/runtime-template.js";
import type { TemplateRegistry } from "../lifecycle/template-registry.js";
import { ordinalOf, stepIdAt } from "../model/index.js";

/** What a step is called, what it was given, and every step that comes before it. */
export interface StepLineage {
  readonly name: string;
  /** JSON text of `workflow_steps.inputs`. */
  readonly inputsJson: string;
  /** Ascending by step id; a name occurs once. */
  readonly ancestors: readonly { readonly stepId: bigint; readonly name: string }[];
}

/**
 * Steps that exist from the start have the template's lineage. Steps made by a decision or an analyzer have edges of
 * their own: those are read for a whole batch, with two statements.
 */
export class Lineages {
  readonly #db: Queryable;
  readonly #registry: TemplateRegistry;

  constructor(db: Queryable, registry: TemplateRegistry) {
    this.#db = db;
    this.#registry = registry;
  }

  /** By step id; a claim whose template is not loaded is left out. */
  async of(claims: readonly ClaimedStep[]): Promise<ReadonlyMap<bigint, StepLineage>> {
    const lineages = new Map<bigint, StepLineage>();
    const dynamic: { claim: ClaimedStep; template: RuntimeTemplate; step: RuntimeStep }[] = [];
    for (const claim of claims) {
      const template = this.#registry.get(claim.templateId);
      const step = template?.steps[claim.templateOrdinal];
      if (template === undefined || step === undefined) continue;
      if (step.initial) lineages.set(claim.stepId, templateLineage(claim, template, step));
      else dynamic.push({ claim, template, step });
    }
    if (dynamic.length === 0) return lineages;

    const ids = dynamic.map(({ claim }) => claim.stepId);
    const rows = await loadDynamicSteps(this.#db, ids);
    const ancestors = groupBy(
      await loadDynamicAncestors(this.#db, ids),
      (ancestor) => ancestor.stepId,
    );
    for (const { claim, template, step } of dynamic) {
      const row = rows.get(claim.stepId);
      lineages.set(claim.stepId, {
        name: row?.name ?? step.name,
        inputsJson: row?.inputs ?? step.inputsJson,
        ancestors: dynamicAncestors(template, ancestors.get(claim.stepId) ?? []),
      });
    }
    return lineages;
  }
}

function templateLineage(
  claim: ClaimedStep,
  template: RuntimeTemplate,
  step: RuntimeStep,
): StepLineage {
  return {
    name: step.name,
    inputsJson: step.inputsJson,
    ancestors: template.ancestorsOf(step.ordinal).map((ordinal) => ({
      stepId: stepIdAt(claim.taskId, ordinal),
      name: template.steps[ordinal]?.name ?? "",
    })),
  };
}

/** Edges made at run time lead to steps that existed from the start, whose own ancestors the template knows. */
function dynamicAncestors(
  template: RuntimeTemplate,
  reached: readonly DynamicAncestor[],
): StepLineage["ancestors"] {
  const names = new Map<bigint, string>();
  for (const { ancestorId, name } of reached) {
    const step = template.steps[ordinalOf(ancestorId)];
    names.set(ancestorId, name ?? step?.name ?? "");
    if (step?.initial !== true) continue;
    const taskId = ancestorId >> 20n;
    for (const ordinal of template.ancestorsOf(step.ordinal)) {
      names.set(stepIdAt(taskId, ordinal), template.steps[ordinal]?.name ?? "");
    }
  }
  return Array.from(names, ([stepId, name]) => ({ stepId, name })).sort((a, b) =>
    a.stepId < b.stepId ? -1 : 1,
  );
}
