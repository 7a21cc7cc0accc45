// The words of the model and the rules that look at one task: contract/states.md sections 3, 4 and 10.

export interface StepSpec {
  readonly dependencies: readonly number[];
  readonly maxAttempts: number;
  readonly retryable: boolean;
  /** Base of a linear backoff; 0 is the kind `none`. */
  readonly backoffMs: number;
  /** Otherwise only a plan creates it. */
  readonly isInitial: boolean;
}

export type TemplateSpec = readonly StepSpec[];

export const LEASE_MS = 10_000;
export const BACKOFF_CAP_MS = 3_000;
/** Small, so that programs reach it. */
export const MAX_DEATHS = 2;

export const FINAL_TASK = ["complete", "error", "cancelled", "resolved_manually"];
export const SATISFIED = ["complete", "resolved_manually"];
export const SUBMITTED = ["enqueued_for_orchestration", "enqueued_as_error_for_orchestration"];
const PIPELINE = ["enqueued", "in_progress", ...SUBMITTED];

export type WorkerNumber = 0 | 1;

export interface ModelStep {
  readonly task: ModelTask;
  readonly ordinal: number;
  readonly spec: StepSpec;
  /** A worker of a batch that goes on: its final error satisfies its children and counts as done. */
  readonly isTolerated: boolean;
  state: string;
  attempts: number;
  deaths: number;
  solo: boolean;
  /** Unsatisfied parents; stands still from the moment the step leaves `pending`. */
  pending: number;
  /** The delivery whose result is accepted, or answered again; null when it was fenced off. */
  delivery: number | null;
  hasHolder: boolean;
  /** Which of the two workers was given the step last. */
  worker: WorkerNumber;
  /** In split mode: what was submitted and waits for an orchestrator. */
  result: ModelReport | null;
  leasedUntil: number | null;
  message: number | null;
  dueAt: number | null;
}

export interface ModelTask {
  readonly index: number;
  state: string;
  /** Those that exist, by ordinal. */
  readonly steps: ModelStep[];
  /** Edges that plans made, by ordinals. */
  readonly edges: (readonly [from: number, to: number])[];
  nextOrdinal: number;
}

export interface ModelMessage {
  readonly id: number;
  readonly step: ModelStep;
  vt: number;
}

/** Of the queue between workers and orchestrators: always visible, until somebody takes it. */
export interface ResultMessage {
  readonly id: number;
  readonly step: ModelStep;
}

export type Verdict = 0 | 1 | 2;

export interface ModelReport {
  readonly delivery: number;
  readonly verdict: Verdict;
  readonly hintMs: number | null;
  readonly plan: ModelPlan | null;
}

/** As `_expand_plans` takes it: an end of an edge is an ordinal, or -1 - n for worker n. */
export interface ModelPlan {
  readonly steps: readonly number[];
  readonly workers: readonly { readonly ordinal: number; readonly tolerated: boolean }[];
  readonly edges: readonly { readonly from: number; readonly to: number }[];
}

export type ManualEvent = "ResetForRetry" | "ResolveManually" | "CompleteManually";

/** What a call answers, in a form that both sides can give. */
export type Answer = Readonly<Record<string, unknown>>;

export function addStep(
  task: ModelTask,
  ordinal: number,
  spec: StepSpec,
  isTolerated: boolean,
): void {
  task.steps.push({
    task,
    ordinal,
    spec,
    isTolerated,
    state: "pending",
    attempts: 0,
    deaths: 0,
    solo: false,
    pending: 0,
    delivery: null,
    hasHolder: false,
    worker: 0,
    result: null,
    leasedUntil: null,
    message: null,
    dueAt: null,
  });
  task.steps.sort(order);
}

export function findStep(task: ModelTask, ordinal: number): ModelStep | undefined {
  return task.steps.find((step) => step.ordinal === ordinal);
}

export function nameOf(step: { task: { index: number }; ordinal: number }): string {
  return `${step.task.index}.${step.ordinal}`;
}

export function claimText(
  name: string,
  verdict: string,
  attempts: number,
  deaths: number,
  isSolo: boolean,
): string {
  return `${name} ${verdict} attempts=${attempts} deaths=${deaths} solo=${isSolo}`;
}

/** Total, complete, cancelled, error, pipeline, waiting for retry: as the columns of `tasks`. */
export function countersOf({ steps }: ModelTask): number[] {
  const count = (belongs: (step: ModelStep) => boolean): number => steps.filter(belongs).length;
  return [
    steps.length,
    count(isSatisfied),
    count((step) => step.state === "cancelled"),
    count((step) => step.state === "error" && !step.isTolerated),
    count((step) => PIPELINE.includes(step.state)),
    count((step) => step.state === "waiting_for_retry"),
  ];
}

export function order(a: ModelStep, b: ModelStep): number {
  return a.task.index - b.task.index || a.ordinal - b.ordinal;
}

function isSatisfied(step: ModelStep): boolean {
  return SATISFIED.includes(step.state) || (step.state === "error" && step.isTolerated);
}

export function unsatisfiedParents({ task, ordinal, spec }: ModelStep): number {
  const planned = task.edges.filter(([, to]) => to === ordinal).map(([from]) => from);
  // Edges of the template stand between steps that exist from the start.
  return [...(spec.isInitial ? spec.dependencies : []), ...planned].filter((parent) => {
    const step = findStep(task, parent);
    return step !== undefined && !isSatisfied(step);
  }).length;
}

export function isReady(step: ModelStep): boolean {
  return step.state === "pending" && unsatisfiedParents(step) === 0;
}

export function isResting(task: ModelTask): boolean {
  return FINAL_TASK.includes(task.state) || task.state === "blocked_by_failures";
}

export function hasFailed(task: ModelTask): boolean {
  return task.steps.some((step) => step.state === "error" && !step.isTolerated);
}

/** Section 4's table, first match wins, and what finalization makes of it. */
export function nextState(task: ModelTask, hasSent: boolean): string {
  if (isResting(task)) return task.state;
  if (hasFailed(task)) return "blocked_by_failures";
  if (hasSent) return "steps_in_process";
  if (task.steps.some((step) => PIPELINE.includes(step.state))) return "evaluating_results";
  if (task.steps.every(isSatisfied)) return "complete";
  return "waiting_for_dependencies";
}
