import { beforeAll, expect, test } from "vitest";
import { readRules } from "../../conformance/rules/load.js";
import { executionStatus } from "../../conformance/rules/reference.js";
import { useTestDatabase } from "../../support/test-database.js";
import { SqlHost } from "../support/sql-host.js";
import { type ForcedStep, forceSteps, rolledBack } from "./forced-steps.js";

/** Execution status: the table in execution-status.json, and every task of up to three steps, against SQL and TypeScript. */
const database = useTestDatabase();

interface Case {
  readonly name: string;
  readonly steps: readonly string[];
  readonly execution_status: string;
  readonly recommended_action: string;
  readonly completion_percentage: number;
  readonly health_status: string;
}
const { cases } = readRules<{ cases: Case[] }>("execution-status");

const WORDS: Readonly<Record<string, ForcedStep>> = {
  pending: { state: "pending", pendingDependencies: 1 },
  ready: { state: "pending" },
  waiting: { state: "waiting_for_retry", attempts: 1, timer: "future" },
  waiting_due: { state: "waiting_for_retry", attempts: 1, timer: "past" },
  enqueued: { state: "enqueued" },
  in_progress: { state: "in_progress" },
  enqueued_for_orchestration: { state: "enqueued_for_orchestration" },
  enqueued_as_error_for_orchestration: { state: "enqueued_as_error_for_orchestration" },
  complete: { state: "complete" },
  resolved_manually: { state: "resolved_manually" },
  cancelled: { state: "cancelled" },
  error: { state: "error" },
  tolerated: { state: "error", isTolerated: true },
};

function countsOf(words: readonly string[]) {
  const count = (...of: string[]): number => words.filter((word) => of.includes(word)).length;
  return {
    total: words.length,
    completed: count("complete", "resolved_manually", "tolerated"),
    cancelled: count("cancelled"),
    failed: count("error"),
    ready: count("ready", "waiting_due"),
    pipeline: words.filter((word) => word.includes("enqueued") || word === "in_progress").length,
  };
}

/** Every multiset of up to three words. */
const words = Object.keys(WORDS);
const combinations = words.flatMap((a, i) => [
  [a],
  ...words.slice(i).flatMap((b, k) => [[a, b], ...words.slice(i + k).map((c) => [a, b, c])]),
]);

interface Reading {
  readonly execution_status: string;
  readonly recommended_action: string;
  readonly completion_percentage: number;
  readonly health_status: string;
  readonly resting: string;
}
let readings: Reading[];

beforeAll(async () => {
  const all = [...cases.map((one) => one.steps), ...combinations];
  const hosts = new Map<number, SqlHost>();
  for (const size of [0, 1, 2, 3]) {
    const shape = Array.from({ length: size }, () => []);
    hosts.set(size, await new SqlHost(database.pool).register(shape));
  }
  readings = await rolledBack(database.pool, async (db) => {
    const steps = new Map<bigint, ForcedStep>();
    const tasks: bigint[] = new Array(all.length);
    for (const [size, host] of hosts) {
      const wanted = [...all.entries()].filter(([, { length }]) => length === size);
      const inside = new SqlHost(db);
      Object.assign(inside, { workerId: host.workerId, templateId: host.templateId });
      const { created } = await inside.create(wanted.length, { free: 0 });
      for (const [place, [index, task]] of wanted.entries()) {
        const taskId = created[place]?.taskId as bigint;
        tasks[index] = taskId;
        for (const [n, word] of task.entries()) {
          steps.set((taskId << 20n) + BigInt(n), WORDS[word] as ForcedStep);
        }
      }
    }
    await forceSteps(db, steps);
    const { rows } = await db.query<Reading & { task_id: bigint }>(
      `select r.task_id, c.execution_status, c.recommended_action, c.completion_percentage::float8 as completion_percentage,
         c.health_status, tasker_core._next_task_state('evaluating_results', n.total, n.complete, n.cancelled, n.failed,
           n.pipeline, c.ready_steps > 0)::text as resting
       from tasker_core.task_requests r, tasker.get_task_execution_context(r.task_uuid) c,
         tasker_core._count_steps(r.task_id) n
       where r.task_id = any($1)`,
      [tasks.map(String)],
    );
    const byId = new Map(rows.map(({ task_id, ...reading }) => [task_id, reading]));
    return tasks.map((taskId) => byId.get(taskId) as Reading);
  });
});

/** What finalization makes of a status (contract/states.md section 5, item 7). */
const RESTING: Readonly<Record<string, string>> = {
  blocked_by_failures: "blocked_by_failures",
  has_ready_steps: "steps_in_process",
  processing: "evaluating_results",
  all_complete: "complete",
  waiting_for_dependencies: "waiting_for_dependencies",
};

test.each(cases.map((one, index) => ({ ...one, index })))(
  "$name",
  ({ index, name, steps, ...expected }) => {
    expect(executionStatus(countsOf(steps)), `${name}: TypeScript`).toBe(expected.execution_status);
    expect(readings[index], `${name}: SQL`).toEqual({
      ...expected,
      resting: RESTING[expected.execution_status],
    });
  },
);

test("SQL and TypeScript agree on every task of one to three steps", () => {
  expect(combinations).toHaveLength(13 + 91 + 455);
  const seen = readings.slice(cases.length);
  const apart = combinations.flatMap((task, i) => {
    const expected = executionStatus(countsOf(task));
    const { execution_status, resting } = seen[i] as Reading;
    const agrees = execution_status === expected && resting === RESTING[expected];
    return agrees ? [] : [{ task, expected, execution_status, resting }];
  });
  expect(apart).toEqual([]);
});
