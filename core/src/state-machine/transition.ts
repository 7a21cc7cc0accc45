import { StateError } from "../errors/index.js";
import { STEP_TRANSITIONS, type StepState } from "./step-states.js";
import { TASK_TRANSITIONS, type TaskState } from "./task-states.js";

/** @throws StateError INVALID_TRANSITION naming the events that the state does accept */
export function nextTaskState(state: TaskState, event: string): TaskState {
  return next("task", TASK_TRANSITIONS, state, event);
}

/** @throws StateError INVALID_TRANSITION naming the events that the state does accept */
export function nextStepState(state: StepState, event: string): StepState {
  return next("step", STEP_TRANSITIONS, state, event);
}

function next<State extends string>(
  what: string,
  table: { readonly [From in State]: Readonly<Record<string, State>> },
  state: State,
  event: string,
): State {
  const target = Object.hasOwn(table[state], event) ? table[state][event] : undefined;
  if (target !== undefined) return target;
  const accepted = Object.keys(table[state]).join(", ");
  throw new StateError(
    "INVALID_TRANSITION",
    `A ${what} in state \`${state}\` does not accept ${event}; it accepts ${accepted === "" ? "nothing: the state is final" : accepted}`,
  );
}
