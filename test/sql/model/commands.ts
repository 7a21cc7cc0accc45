// Commands, how they find their targets, and how the model runs them.

import type { Model } from "./model.js";
import {
  type Answer,
  findStep,
  MAX_DEATHS,
  type ManualEvent,
  type ModelPlan,
  type ModelReport,
  type ModelStep,
  type TemplateSpec,
  type Verdict,
  type WorkerNumber,
} from "./rules.js";

interface Pick {
  readonly n: number;
  /** Out of all deliveries there ever were, instead of those that are still held. */
  readonly isOld: boolean;
}

/** What a result creates, were its step to have anything to create. */
interface PlanSketch {
  /** Which of the template's later steps, bit by bit. */
  readonly mask: number;
  readonly workers: number;
  readonly tolerated: boolean;
}

type ReportSketch = Pick & {
  readonly verdict: Verdict;
  readonly hintMs: number | null;
  readonly plan: PlanSketch | null;
};

export type Command =
  | {
      readonly kind: "create";
      readonly count: number;
      readonly free: number;
      readonly worker: WorkerNumber;
    }
  | {
      readonly kind: "claim";
      readonly free: number;
      readonly limit: number;
      readonly worker: WorkerNumber;
    }
  | {
      readonly kind: "report";
      readonly picks: readonly ReportSketch[];
      readonly free: number;
      readonly wakesTimers: boolean;
      readonly worker: WorkerNumber;
    }
  | { readonly kind: "wake"; readonly free: number; readonly worker: WorkerNumber }
  | {
      readonly kind: "submit";
      readonly picks: readonly ReportSketch[];
      readonly worker: WorkerNumber;
    }
  | { readonly kind: "process"; readonly limit: number; readonly wakesTimers: boolean }
  | { readonly kind: "checkpoint"; readonly picks: readonly Pick[]; readonly worker: WorkerNumber }
  | { readonly kind: "advance"; readonly ms: number }
  | {
      readonly kind: "release";
      readonly picks: readonly Pick[];
      readonly isDeath: boolean;
      readonly isSuspect: boolean;
    }
  | { readonly kind: "renew"; readonly picks: readonly Pick[] }
  | { readonly kind: "reconcile"; readonly picks: readonly Pick[]; readonly worker: WorkerNumber }
  | { readonly kind: "close"; readonly n: number; readonly to: "cancelled" | "resolved_manually" }
  | {
      readonly kind: "act";
      readonly n: number;
      readonly isFailed: boolean;
      readonly event: ManualEvent;
    }
  | { readonly kind: "repair" }
  | { readonly kind: "lose"; readonly n: number }
  | { readonly kind: "duplicate"; readonly n: number }
  | { readonly kind: "insert"; readonly n: number }
  | { readonly kind: "lose_result"; readonly n: number }
  | { readonly kind: "duplicate_result"; readonly n: number }
  | { readonly kind: "insert_result"; readonly n: number };

/** A command with its targets found. */
export type Action =
  | Extract<Command, { kind: "create" | "claim" | "process" | "advance" | "repair" }>
  | {
      readonly kind: "tick";
      readonly reports: readonly ModelReport[];
      readonly free: number;
      readonly wakesTimers: boolean;
      readonly worker: WorkerNumber;
    }
  | {
      readonly kind: "submit";
      readonly reports: readonly ModelReport[];
      readonly worker: WorkerNumber;
    }
  | {
      readonly kind: "release";
      readonly deliveries: readonly number[];
      readonly isDeath: boolean;
      readonly isSuspect: boolean;
    }
  | { readonly kind: "renew"; readonly deliveries: readonly number[] }
  | {
      readonly kind: "reconcile" | "checkpoint";
      readonly deliveries: readonly number[];
      readonly worker: WorkerNumber;
    }
  | {
      readonly kind: "close";
      readonly index: number;
      readonly to: "cancelled" | "resolved_manually";
    }
  | { readonly kind: "act"; readonly step: ModelStep; readonly event: ManualEvent }
  | { readonly kind: "lose" | "lose_result"; readonly position: number }
  | { readonly kind: "insert" | "insert_result"; readonly step: ModelStep };

export const COMMAND_KINDS: readonly Command["kind"][] = [
  "create",
  "claim",
  "report",
  "wake",
  "advance",
  "release",
  "renew",
  "reconcile",
  "close",
  "act",
  "repair",
  "lose",
  "duplicate",
  "insert",
  "submit",
  "process",
  "checkpoint",
  "lose_result",
  "duplicate_result",
  "insert_result",
];

const MAX_TASKS = 4;

/** Null when there is nothing that the command could be about. */
export function actionOf(command: Command, model: Model): Action | null {
  switch (command.kind) {
    case "create":
      return model.tasks.length + command.count > MAX_TASKS ? null : command;
    case "claim":
    case "process":
    case "advance":
    case "repair":
      return command;
    case "report": {
      const reports = reportsOf(command.picks, model);
      const { free, wakesTimers, worker } = command;
      return reports.length === 0 ? null : { kind: "tick", reports, free, wakesTimers, worker };
    }
    case "submit": {
      const reports = reportsOf(command.picks, model);
      return reports.length === 0 ? null : { kind: "submit", reports, worker: command.worker };
    }
    case "wake":
      return { ...command, kind: "tick", reports: [], wakesTimers: true };
    case "release":
    case "renew":
    case "checkpoint":
    case "reconcile": {
      const deliveries = pickDeliveries(command.picks, model).map(({ delivery }) => delivery);
      if (deliveries.length === 0 && command.kind !== "reconcile") return null;
      return { ...command, deliveries };
    }
    case "close":
      return { kind: "close", index: command.n % model.tasks.length, to: command.to };
    case "act": {
      const steps = model.steps.filter((step) => !command.isFailed || step.state === "error");
      const step = steps[command.n % steps.length];
      return step === undefined ? null : { kind: "act", step, event: command.event };
    }
    case "lose":
      return model.messages.length === 0
        ? null
        : { kind: "lose", position: command.n % model.messages.length };
    case "duplicate": {
      const message = model.messages[command.n % model.messages.length];
      return message === undefined ? null : { kind: "insert", step: message.step };
    }
    case "insert": {
      const { steps } = model;
      return { kind: "insert", step: steps[command.n % steps.length] as ModelStep };
    }
    case "lose_result":
      return model.results.length === 0
        ? null
        : { kind: "lose_result", position: command.n % model.results.length };
    case "duplicate_result": {
      const message = model.results[command.n % model.results.length];
      return message === undefined ? null : { kind: "insert_result", step: message.step };
    }
    case "insert_result": {
      const { steps } = model;
      return { kind: "insert_result", step: steps[command.n % steps.length] as ModelStep };
    }
  }
}

function reportsOf(picks: readonly ReportSketch[], model: Model): ModelReport[] {
  return pickDeliveries(picks, model).map(({ delivery, pick }) => ({
    delivery,
    verdict: verdictOf(model.deliveries[delivery] as ModelStep, pick.verdict),
    hintMs: pick.hintMs,
    plan: planOf(model.deliveries[delivery] as ModelStep, pick.plan, model.template),
  }));
}

export function runInModel(action: Action, model: Model): Answer {
  switch (action.kind) {
    case "create":
      return model.create(action.count, action.free, action.worker);
    case "claim":
      return model.claim(action.free, action.limit, action.worker);
    case "tick":
      return model.tick(action.reports, action.free, action.wakesTimers, action.worker);
    case "submit":
      return model.submit(action.reports);
    case "process":
      return model.process(action.limit, action.wakesTimers);
    case "checkpoint":
      return model.checkpoint(action.deliveries, action.worker);
    case "advance":
      model.now += action.ms;
      return {};
    case "release":
      return model.release(action.deliveries, action.isDeath, action.isSuspect);
    case "renew":
      return model.renew(action.deliveries);
    case "reconcile":
      return model.reconcile(action.deliveries, action.worker);
    case "repair":
      return model.repair();
    case "close":
      return model.close(action.index, action.to);
    case "act":
      return model.act(action.step, action.event);
    case "lose":
      model.loseMessage(action.position);
      return {};
    case "insert":
      model.insertMessage(action.step);
      return {};
    case "lose_result":
      model.results.splice(action.position, 1);
      return {};
    case "insert_result":
      model.insertResult(action.step);
      return {};
  }
}

/** A good result for every delivery that is held. */
export function successes(model: Model): ModelReport[] {
  return heldDeliveries(model).map((delivery) => ({
    delivery,
    verdict: verdictOf(model.deliveries[delivery] as ModelStep, 0),
    hintMs: null,
    plan: null,
  }));
}

/** A host that is given a step as `poisoned` fails it for good, whatever it would have come to. */
function verdictOf(step: ModelStep, verdict: Verdict): Verdict {
  return step.deaths >= MAX_DEATHS ? 2 : verdict;
}

/** Null when the step has nothing that it could create: no later step of the template comes after it. */
function planOf(
  step: ModelStep,
  sketch: PlanSketch | null,
  template: TemplateSpec,
): ModelPlan | null {
  const later = [...template.keys()].filter(
    (ordinal) => ordinal > step.ordinal && template[ordinal]?.isInitial === false,
  );
  if (sketch === null || later.length === 0) return null;
  const steps = later.filter((ordinal) => (sketch.mask & (1 << ordinal)) !== 0);
  const workers = Array.from({ length: sketch.workers }, () => ({
    ordinal: later[0] as number,
    tolerated: sketch.tolerated,
  }));
  const edges = [
    ...workers.map((_, i) => ({ from: step.ordinal, to: -1 - i })),
    ...steps.flatMap((to) => [
      { from: step.ordinal, to },
      ...workers.map((_, i) => ({ from: -1 - i, to })),
      ...(template[to]?.dependencies ?? [])
        .filter((from) => steps.includes(from) || findStep(step.task, from) !== undefined)
        .map((from) => ({ from, to })),
    ]),
  ];
  const isFirst = ({ from, to }: { from: number; to: number }, i: number): boolean =>
    edges.findIndex((edge) => edge.from === from && edge.to === to) === i;
  return { steps, workers, edges: edges.filter(isFirst) };
}

/** At most one delivery per step, as every caller does. */
function pickDeliveries<P extends Pick>(
  picks: readonly P[],
  model: Model,
): { delivery: number; pick: P }[] {
  const found = new Map<ModelStep, { delivery: number; pick: P }>();
  const all = [...model.deliveries.keys()];
  const held = heldDeliveries(model);
  for (const pick of picks) {
    const from = pick.isOld ? all : held;
    const delivery = from[pick.n % from.length];
    const step = delivery === undefined ? undefined : model.deliveries[delivery];
    if (delivery !== undefined && step !== undefined && !found.has(step))
      found.set(step, { delivery, pick });
  }
  return [...found.values()];
}

function heldDeliveries(model: Model): number[] {
  return [...model.deliveries.keys()].filter(
    (delivery) => model.isCurrent(delivery) && model.deliveries[delivery]?.state === "in_progress",
  );
}
