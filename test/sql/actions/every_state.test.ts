import { beforeAll, describe, expect, test } from "vitest";
import {
  cancelTasks,
  completeStepManually,
  resetStepForRetry,
  resolveStepManually,
  resolveTasks,
} from "../../../core/src/db/functions/index.js";
import { STEP_STATES, STEP_TRANSITIONS } from "../../../core/src/state-machine/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { assertIntegrity, type SqlHost } from "../support/sql-host.js";
import { CHILD, chainHost, leftovers, NOTE, SUBJECT, stepIn, stepRow } from "./step-in-state.js";

/** Every state of a step under every action of an operator, against the transition table. */
const database = useTestDatabase();
let host: SqlHost;

beforeAll(async () => {
  host = await chainHost(database.pool);
});

const SATISFIED = ["complete", "resolved_manually"];

describe.each(STEP_STATES)("a step in %s", (state) => {
  test("is cancelled with its task, unless it is final", async () => {
    const { taskId, stepId, claim } = await stepIn(host, state);
    expect((await stepRow(host, stepId))?.state).toBe(state);

    const [closed] = await cancelTasks(database.pool, { ...NOTE, taskIds: [taskId] });

    const expected = STEP_TRANSITIONS[state]["Cancel"] ?? state;
    expect((await stepRow(host, stepId))?.state).toBe(expected);
    expect(await host.taskState(taskId)).toBe("cancelled");
    expect(closed?.wasClosed).toBe(state !== "cancelled");
    expect(closed?.running.some((step) => step.stepId === stepId)).toBe(state === "in_progress");
    expect(await leftovers(host, taskId)).toEqual({ messages: 0, timers: 0 });
    if (state === "in_progress") {
      const late = await host.tick([claim]);
      expect(late.verdicts.map((verdict) => verdict.status)).toEqual(["stale"]);
      expect((await stepRow(host, stepId))?.state).toBe("cancelled");
    }
    await assertIntegrity(database.pool);
  });

  test("is reset only from error", async () => {
    const { taskId, stepId } = await stepIn(host, state);
    const before = await stepRow(host, stepId);
    const taskBefore = await host.taskState(taskId);

    const result = await resetStepForRetry(database.pool, { ...NOTE, stepId });

    if (state === "error") {
      expect(result).toMatchObject({
        outcome: "done",
        fromState: "error",
        toState: "pending",
        fromTaskState: "blocked_by_failures",
        taskState: "steps_in_process",
        queued: 1,
      });
      expect(await stepRow(host, stepId)).toMatchObject({
        state: "enqueued",
        attempts: 0,
        deaths: 0,
        solo: false,
      });
    } else {
      expect(result).toMatchObject({ outcome: "step_refuses", fromState: state });
      expect(await stepRow(host, stepId)).toEqual(before);
      expect(await host.taskState(taskId)).toBe(taskBefore);
    }
    await assertIntegrity(database.pool);
  });

  test.each([
    ["resolved", "resolved_manually"],
    ["completed", "complete"],
  ] as const)("is %s by hand, and lets its dependents go on once", async (_, target) => {
    const { taskId, stepId, claim } = await stepIn(host, state);
    const childId = (taskId << 20n) | BigInt(CHILD);
    const childBefore = await stepRow(host, childId);
    const taskBefore = await host.taskState(taskId);

    const result =
      target === "complete"
        ? await completeStepManually(database.pool, { ...NOTE, stepId, body: '{"success":true}' })
        : await resolveStepManually(database.pool, { ...NOTE, stepId });

    expect(result).toMatchObject({ outcome: "done", fromState: state, toState: target });
    expect((await stepRow(host, stepId))?.state).toBe(target);
    if (taskBefore === "cancelled") {
      expect(result).toMatchObject({ taskState: "cancelled", queued: 0 });
    } else if (SATISFIED.includes(state)) {
      expect(await stepRow(host, childId)).toEqual(childBefore);
    } else {
      expect(await stepRow(host, childId)).toMatchObject({
        state: "enqueued",
        pending_dependencies: 0,
      });
      expect(await host.taskState(taskId)).toBe("steps_in_process");
    }
    if (state === "in_progress") {
      const late = await host.tick([claim]);
      expect(late.verdicts.map((verdict) => verdict.status)).toEqual(["stale"]);
      expect((await stepRow(host, stepId))?.state).toBe(target);
    }
    await assertIntegrity(database.pool);
  });

  test("in a task that is resolved stays error, or is cancelled unless it is final", async () => {
    const { taskId, stepId } = await stepIn(host, state);
    const [closed] = await resolveTasks(database.pool, { ...NOTE, taskIds: [taskId] });
    const expected = state === "error" ? "error" : (STEP_TRANSITIONS[state]["Cancel"] ?? state);
    expect((await stepRow(host, stepId))?.state).toBe(expected);
    expect(closed?.wasClosed).toBe(state !== "cancelled");
    expect(await host.taskState(taskId)).toBe(
      state === "cancelled" ? "cancelled" : "resolved_manually",
    );
    expect(await leftovers(host, taskId)).toEqual({ messages: 0, timers: 0 });
    await assertIntegrity(database.pool);
  });
});

test("the subject of these tests is between a parent and a child", async () => {
  const { taskId } = await stepIn(host, "complete");
  const states = await host.states(taskId);
  expect(states[SUBJECT]).toBe("complete");
  expect(states[CHILD]).toBe("in_progress");
});
