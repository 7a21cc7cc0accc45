/** What the result of a decision or of a batchable step creates: pure data, applied by SQL with that result. */

/** A template step by ordinal, or a worker by its index in {@link ExpansionPlan.workers}. */
export type NodeRef = { readonly ordinal: number } | { readonly worker: number };

/** `batch_turn` only bounds how many workers run at once: readers of the graph are not shown it. */
export type EdgeName = "provides" | "batch_dependency" | "worker_to_convergence" | "batch_turn";

export interface PlannedStep {
  readonly ordinal: number;
}

/** A step made at run time from a batch worker template. */
export interface PlannedWorker {
  readonly name: string;
  /** The `batch_worker` step whose definition the worker runs. */
  readonly templateOrdinal: number;
  /** Compact JSON object; numbers keep their kind. */
  readonly inputsJson: string;
  /** Its final error satisfies the steps behind it and does not block the task. */
  readonly failureTolerated: boolean;
}

/**
 * `from` exists when the plan is applied: it is created by the plan, is the step that the plan belongs to, or
 * is a step created with the task, which may still be running.
 */
export interface PlannedEdge {
  readonly from: NodeRef;
  readonly to: NodeRef;
  readonly name: EdgeName;
}

export interface ExpansionPlan {
  /** Template steps to create unless they exist, ordinals ascending. */
  readonly steps: readonly PlannedStep[];
  readonly workers: readonly PlannedWorker[];
  /** No edge twice. Those to a step that exists already are added to the ones it has. */
  readonly edges: readonly PlannedEdge[];
}

export type PlanResult =
  /** The result asks for nothing. */
  | { readonly kind: "none" }
  /** An outcome that says nothing usable: worth a warning, the task goes on (`contract/states.md` section 10). */
  | { readonly kind: "ignored"; readonly reason: string }
  | { readonly kind: "expand"; readonly plan: ExpansionPlan }
  /** The step fails permanently with this reason. */
  | { readonly kind: "impossible"; readonly reason: string };

export interface PlanLimits {
  /** `orchestration.decision_points.enabled`. */
  readonly decisionsEnabled: boolean;
  /** Names that one decision may request, repetitions included. */
  readonly maxStepsPerDecision: number;
  /** Decisions on the longest template path to the steps that a decision creates, itself included. */
  readonly maxDecisionDepth: number;
  /** `orchestration.batch_processing.enabled`. */
  readonly batchesEnabled: boolean;
  /** Workers of one batch. */
  readonly maxWorkers: number;
}

export const NOTHING: PlanResult = { kind: "none" };

export function ignored(reason: string): PlanResult {
  return { kind: "ignored", reason };
}

export function impossible(reason: string): PlanResult {
  return { kind: "impossible", reason };
}
