import type { Reason } from "./reason.js";
import type { StepFacts, TaskFacts } from "./task-facts.js";
import { list } from "./words.js";

/** Why a pending step has not become ready: what it waits for, and whether that can still come. */
export class PendingReasons {
  readonly #facts: TaskFacts;
  readonly #steps: ReadonlyMap<number, StepFacts>;
  /** By ordinal: the failed or cancelled steps that keep it from ever running by itself. */
  readonly #stoppers = new Map<number, readonly StepFacts[]>();

  constructor(facts: TaskFacts) {
    this.#facts = facts;
    this.#steps = new Map(facts.steps.map((step) => [step.ordinal, step]));
    for (const { ordinal } of facts.steps) this.#findStoppers(ordinal);
  }

  of(step: StepFacts): Reason {
    const { task, settings } = this.#facts;
    const about = (code: Reason["code"], text: string, todo: string | null = null): Reason => ({
      code,
      step: step.name,
      text,
      todo,
    });
    const stoppers = this.#stoppers.get(step.ordinal) ?? [];
    const broken = stoppers.filter(({ state }) => state === "error").map(({ name }) => name);
    const gone = stoppers.filter(({ state }) => state === "cancelled").map(({ name }) => name);
    if (broken.length > 0) {
      return about("behind_failure", `cannot run before ${list(broken)}, which failed`);
    }
    if (gone.length > 0) {
      return about(
        "behind_cancelled",
        `cannot run before ${list(gone)}, which ${gone.length === 1 ? "was" : "were"} cancelled`,
        `\`tasker task resolve-step ${task.task_uuid} ${gone[0]}\` or \`complete-step\` lets it go on`,
      );
    }
    const open = this.#open(step.dependencies);
    if (open.length > 0) {
      const names = open.map(({ name, state }) => `${name} (${state})`);
      return about("waiting_for_dependencies", `waits for ${list(names)}`);
    }
    const [turn] = this.#open(step.turn_after);
    if (turn !== undefined) {
      return about(
        "waiting_for_lane",
        `waits for its turn in a lane of the batch: ${turn.name} (${turn.state}) runs before it, since the batch bounds how many of its workers run at once (parallelism)`,
      );
    }
    if (task.status === "blocked_by_failures") {
      return about(
        "held_back",
        "could run, and is held back until the failed steps of the task are dealt with",
      );
    }
    return about(
      "not_created_yet",
      `has nothing left to wait for and is about to be queued; if it stays so, a running server or \`tasker dev\` repairs it within ${settings.reconcileIntervalSeconds} s`,
    );
  }

  #open(ordinals: readonly number[]): StepFacts[] {
    return ordinals.flatMap((ordinal) => {
      const step = this.#steps.get(ordinal);
      return step === undefined || isSatisfied(step) ? [] : [step];
    });
  }

  /** A stack of its own: the lanes of a batch can be ten thousand workers long. */
  #findStoppers(ordinal: number): void {
    const stack = [ordinal];
    for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
      const step = this.#steps.get(at);
      const unknown =
        this.#stoppers.has(at) || step === undefined ? [] : this.#unknownParents(step);
      if (unknown.length > 0) {
        stack.push(...unknown);
        continue;
      }
      stack.pop();
      if (step !== undefined && !this.#stoppers.has(at)) {
        this.#stoppers.set(at, this.#stoppersOf(step));
      }
    }
  }

  #unknownParents(step: StepFacts): number[] {
    if (isSatisfied(step) || isStopper(step)) return [];
    return [...step.dependencies, ...step.turn_after].filter(
      (parent) => this.#steps.has(parent) && !this.#stoppers.has(parent),
    );
  }

  #stoppersOf(step: StepFacts): readonly StepFacts[] {
    if (isSatisfied(step)) return [];
    if (isStopper(step)) return [step];
    const lists = [...step.dependencies, ...step.turn_after]
      .map((parent) => this.#stoppers.get(parent) ?? [])
      .filter(({ length }) => length > 0);
    const [only] = lists;
    return only !== undefined && lists.length === 1 ? only : [...new Set(lists.flat())];
  }
}

function isStopper({ state }: StepFacts): boolean {
  return state === "error" || state === "cancelled";
}

function isSatisfied({ state, failure_tolerated }: StepFacts): boolean {
  return (
    state === "complete" ||
    state === "resolved_manually" ||
    (state === "error" && failure_tolerated)
  );
}
