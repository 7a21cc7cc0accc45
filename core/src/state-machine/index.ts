export {
  SATISFIED_STEP_STATES,
  STEP_STATES,
  STEP_TRANSITIONS,
  type StepState,
} from "./step-states.js";
export {
  parseTaskState,
  TASK_STATES,
  TASK_TRANSITIONS,
  type TaskState,
  TERMINAL_TASK_STATES,
} from "./task-states.js";
export { nextStepState, nextTaskState } from "./transition.js";
