import type { Queryable } from "../db/index.js";
import { StateError } from "../errors/index.js";
import type { JsonValue } from "../lib/json-number.js";
import { parseJson } from "../lib/parse-json.js";
import {
  type AttemptRow,
  attemptsOfTask,
  findTask,
  resultsOfTask,
  type StepRow,
  stepsOfTask,
  type TaskRow,
} from "../lifecycle/task-queries.js";

/** Everything about a task that the command line shows. */
export interface TaskReport {
  readonly task: TaskRow;
  readonly steps: readonly StepRow[];
  readonly attempts: readonly AttemptRow[];
  /** By ordinal. */
  readonly results: ReadonlyMap<number, JsonValue>;
}

/** @throws StateError TASK_NOT_FOUND */
export async function loadTaskReport(db: Queryable, taskUuid: string): Promise<TaskReport> {
  const task = await findTask(db, taskUuid);
  if (task === null) {
    throw new StateError("TASK_NOT_FOUND", `There is no task ${taskUuid} in this database`, {
      context: { taskUuid },
    });
  }
  const [steps, attempts, results] = await Promise.all([
    stepsOfTask(db, task.task_id),
    attemptsOfTask(db, task.task_id),
    resultsOfTask(db, task.task_id),
  ]);
  const parsed = [...results].map(([ordinal, text]) => [ordinal, parseJson(text)] as const);
  return { task, steps, attempts, results: new Map(parsed) };
}

export interface FailedStep {
  readonly step: string;
  readonly callable: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly error_type: string | null;
  readonly message: string;
}

/** The first step, in dependency order, that keeps the task from completing. */
export function failedStep({ steps }: Pick<TaskReport, "steps">): FailedStep | null {
  const step = steps.find(({ state }) => state === "error");
  if (step === undefined) return null;
  const { name, callable, attempts, max_attempts, error_type, error_message } = step;
  const message = error_message ?? "no result was stored";
  return { step: name, callable, attempts, max_attempts, error_type, message };
}

/** What the task came to: results of steps on which no other step depends, by name. */
export function finalResults({ steps, results }: TaskReport): Record<string, JsonValue> {
  const parents = new Set(steps.flatMap((step) => step.dependencies));
  const last = steps.filter(({ ordinal }) => !parents.has(ordinal));
  return Object.fromEntries(
    last.flatMap(({ ordinal, name }) => {
      const result = results.get(ordinal);
      return result === undefined ? [] : [[name, result]];
    }),
  );
}

/** The task for machines, without its steps. */
export function taskJson(task: TaskRow): Record<string, unknown> {
  const { task_id: _, tags, context, ...rest } = task;
  return { ...rest, tags: parseJson(tags), context: parseJson(context) };
}

/** The whole report for machines. */
export function reportJson(report: TaskReport): Record<string, unknown> {
  const names = new Map(report.steps.map(({ ordinal, name }) => [ordinal, name]));
  const attempts = groupAttempts(report.attempts);
  return {
    ...taskJson(report.task),
    results: finalResults(report),
    steps: report.steps.map(
      ({ ordinal, dependencies, state, execution_ms: _, attempts: count, ...step }) => ({
        ...step,
        current_state: state,
        attempts: count,
        dependencies: dependencies.map((parent) => names.get(parent) ?? String(parent)),
        result: report.results.get(ordinal) ?? null,
        history: (attempts.get(ordinal) ?? []).map(({ ordinal: _, ...attempt }) => attempt),
      }),
    ),
  };
}

function groupAttempts(attempts: readonly AttemptRow[]): Map<number, AttemptRow[]> {
  const groups = new Map<number, AttemptRow[]>();
  for (const attempt of attempts) {
    const group = groups.get(attempt.ordinal);
    if (group === undefined) groups.set(attempt.ordinal, [attempt]);
    else group.push(attempt);
  }
  return groups;
}
