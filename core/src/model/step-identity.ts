import type { StepId, TaskId } from "./ids.js";

/**
 * A step's ids are arithmetic: `step_id = task_id * 2^20 + ordinal`, and its public UUID is the first half of its
 * task's UUIDv7 followed by the step_id. No index is needed to go from one to the other.
 * Twin of `tasker_core.step_uuid` and `tasker_core.step_id_of`.
 */
const ORDINAL_BITS = 20n;
const ORDINAL_MASK = (1n << ORDINAL_BITS) - 1n;
const STEP_ID_MASK = (1n << 62n) - 1n;
const UUID_VARIANT = 1n << 63n;

export const MAX_STEPS_PER_TASK = Number(ORDINAL_MASK) + 1;

export function taskIdOf(step: bigint): TaskId {
  return (step >> ORDINAL_BITS) as TaskId;
}

export function ordinalOf(step: bigint): number {
  return Number(step & ORDINAL_MASK);
}

export function stepIdAt(task: bigint, ordinal: number): StepId {
  return ((task << ORDINAL_BITS) | BigInt(ordinal)) as StepId;
}

export function stepUuidOf(taskUuid: string, step: bigint): string {
  const tail = (step | UUID_VARIANT).toString(16);
  return `${taskUuid.slice(0, 18)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

export function stepIdOf(stepUuid: string): StepId {
  return (BigInt(`0x${stepUuid.slice(19).replace("-", "")}`) & STEP_ID_MASK) as StepId;
}
