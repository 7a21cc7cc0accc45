import type { EngineRole } from "../../../../core/src/bootstrap.js";
import type { Fault } from "./protocol.js";

/** Keeps the victim's call open in the server while the victim is killed and the test looks. */
export interface Obstacle {
  /** The handler of this step waits until the obstacle stands. */
  readonly step: string;
  /** Whose row is locked: one that the call needs, and the calls before it do not. */
  readonly row: "step" | "task";
  /** The call goes on after its client has died, or it ends with its connection. */
  readonly ending: "commits" | "rolls back";
}

export interface KillPoint {
  readonly name: string;
  /** Where the victim kills itself, else the test does: in the handler of a step, or in an open call. */
  readonly fault: Fault | { readonly inHandlerOf: string } | { readonly inCall: Obstacle };
  readonly creator: "victim" | "partner" | "outside";
  /** Steps that are leased to the victim when it dies; null where a race decides, and either is right. */
  readonly leased: 0 | 1 | null;
  /** States that these steps may have right after the death. */
  readonly states?: Readonly<Record<string, readonly string[]>>;
}

const UNDER_WAY = `select from tasker.workflow_steps s join tasker_core.tasks t
  on t.task_id = s.step_id >> 20 where t.state <> 'complete'`;

const is = (step: string, ...states: string[]): string =>
  `exists (${UNDER_WAY} and s.name = '${step}' and s.state in ('${states.join("', '")}'))`;

/** The step that fails once, on its way to the second attempt. */
const retrying = (state: string, attempts: number): string =>
  `exists (${UNDER_WAY} and s.name = 'again' and s.state = '${state}' and s.attempts = ${attempts})`;

const before = (name: string, when: string, holdsBack = false): Fault => ({
  at: "call",
  function: name,
  phase: "before",
  when,
  holdsBack,
});
const after = (name: string, when: string): Fault => ({
  at: "call",
  function: name,
  phase: "after",
  when,
});
const open = (step: string, row: Obstacle["row"], ending: Obstacle["ending"]) => ({
  inCall: { step, row, ending },
});

const created = (leased: 0 | 1): readonly KillPoint[] => [
  { name: "before accept", fault: before("create_tasks", "true"), creator: "victim", leased: 0 },
  { name: "after accept", fault: { at: "created" }, creator: "victim", leased: null },
  { name: "after commit", fault: after("create_tasks", "true"), creator: "victim", leased },
];

const FUSED: readonly KillPoint[] = [
  ...created(1),
  {
    name: "between state and message",
    fault: open("two", "step", "commits"),
    creator: "victim",
    leased: 1,
    states: { one: ["complete"], two: ["in_progress"], again: ["pending"] },
  },
  {
    name: "after claim",
    fault: after("claim_steps", is("one", "in_progress")),
    creator: "outside",
    leased: 1,
    states: { one: ["in_progress"] },
  },
  {
    name: "after side effect",
    fault: { at: "handler", step: "two" },
    creator: "victim",
    leased: 1,
    states: { two: ["in_progress"] },
  },
  {
    name: "before result commit",
    fault: before("tick", is("two", "in_progress")),
    creator: "victim",
    leased: 1,
    states: { two: ["in_progress"], again: ["pending"] },
  },
  {
    name: "after result commit",
    fault: after("tick", is("one", "complete")),
    creator: "victim",
    leased: 1,
    states: { one: ["complete"], two: ["in_progress"] },
  },
  {
    name: "during finalization, commits",
    fault: open("last", "task", "commits"),
    creator: "victim",
    leased: 1,
    states: { last: ["in_progress"] },
  },
  {
    name: "during finalization, rolls back",
    fault: open("last", "task", "rolls back"),
    creator: "victim",
    leased: 1,
    states: { last: ["in_progress"] },
  },
  {
    name: "during retry scheduling",
    fault: open("again", "task", "rolls back"),
    creator: "victim",
    leased: 1,
    states: { again: ["in_progress"] },
  },
  {
    name: "after retry scheduling",
    fault: after("tick", is("again", "waiting_for_retry")),
    creator: "victim",
    leased: 0,
    states: { again: ["waiting_for_retry"] },
  },
  {
    name: "after the retry has been woken",
    fault: after("tick", retrying("in_progress", 2)),
    creator: "victim",
    leased: 1,
    states: { again: ["in_progress"] },
  },
];

const SERVER: readonly KillPoint[] = [
  ...created(0),
  {
    name: "between state and message",
    fault: open("one", "task", "commits"),
    creator: "victim",
    leased: 0,
    states: { one: ["enqueued_for_orchestration"], two: ["pending"] },
  },
  {
    name: "after claim",
    fault: open("two", "task", "rolls back"),
    creator: "victim",
    leased: 0,
    states: { two: ["enqueued_for_orchestration"], again: ["pending"] },
  },
  {
    name: "after side effect",
    fault: { inHandlerOf: "two" },
    creator: "victim",
    leased: 0,
    states: { two: ["in_progress"] },
  },
  {
    name: "before result commit",
    fault: before("process_step_results", is("one", "enqueued_for_orchestration"), true),
    creator: "victim",
    leased: 0,
    states: { one: ["enqueued_for_orchestration"], two: ["pending"] },
  },
  {
    name: "after result commit",
    fault: after("process_step_results", is("one", "complete")),
    creator: "victim",
    leased: 0,
    states: { one: ["complete"] },
  },
  {
    name: "during finalization, commits",
    fault: open("last", "task", "commits"),
    creator: "victim",
    leased: 0,
    states: { last: ["enqueued_for_orchestration"] },
  },
  {
    name: "during finalization, rolls back",
    fault: open("last", "task", "rolls back"),
    creator: "victim",
    leased: 0,
    states: { last: ["enqueued_for_orchestration"] },
  },
  {
    name: "during retry scheduling",
    fault: open("again", "task", "rolls back"),
    creator: "victim",
    leased: 0,
    states: { again: ["enqueued_as_error_for_orchestration"] },
  },
  {
    name: "after retry scheduling",
    fault: after("process_step_results", is("again", "waiting_for_retry")),
    creator: "victim",
    leased: 0,
    states: { again: ["waiting_for_retry"] },
  },
  {
    name: "after the retry has been woken",
    fault: after("process_step_results", retrying("enqueued", 1)),
    creator: "victim",
    leased: 0,
  },
];

const WORKER: readonly KillPoint[] = [
  ...created(1),
  {
    name: "between state and message",
    fault: open("two", "step", "commits"),
    creator: "partner",
    leased: 1,
    states: { two: ["in_progress"], again: ["pending"] },
  },
  {
    name: "after claim",
    fault: after("claim_steps", is("one", "in_progress")),
    creator: "partner",
    leased: 1,
    states: { one: ["in_progress"] },
  },
  {
    name: "after side effect",
    fault: { at: "handler", step: "two" },
    creator: "partner",
    leased: 1,
    states: { two: ["in_progress"] },
  },
  {
    name: "before result commit",
    fault: before("submit_step_results", is("two", "in_progress")),
    creator: "partner",
    leased: 1,
    states: { two: ["in_progress"], again: ["pending"] },
  },
  {
    name: "after result commit",
    fault: after("submit_step_results", is("two", "enqueued_for_orchestration", "complete")),
    creator: "partner",
    leased: 0,
    states: { two: ["enqueued_for_orchestration", "complete"] },
  },
  {
    name: "during finalization, commits",
    fault: open("last", "step", "commits"),
    creator: "partner",
    leased: 1,
    states: { last: ["in_progress"] },
  },
  {
    name: "during finalization, rolls back",
    fault: open("last", "step", "rolls back"),
    creator: "partner",
    leased: 1,
    states: { last: ["in_progress"] },
  },
  {
    name: "during retry scheduling",
    fault: open("again", "step", "rolls back"),
    creator: "partner",
    leased: 1,
    states: { again: ["in_progress"] },
  },
  {
    name: "after retry scheduling",
    fault: after(
      "submit_step_results",
      is("again", "enqueued_as_error_for_orchestration", "waiting_for_retry"),
    ),
    creator: "partner",
    leased: 0,
  },
  {
    name: "after the retry has been woken",
    fault: after("claim_steps", retrying("in_progress", 2)),
    creator: "partner",
    leased: 1,
    states: { again: ["in_progress"] },
  },
];

export const KILL_POINTS: Readonly<Record<EngineRole, readonly KillPoint[]>> = {
  all: FUSED,
  server: SERVER,
  worker: WORKER,
};
