import type { Pool } from "../../core/src/db/index.js";
import { JsonNumber, type JsonObject, type JsonValue } from "../../core/src/lib/json-number.js";
import { parseJson } from "../../core/src/lib/parse-json.js";
import { type ExpectedOrder, expectedOf, type Value } from "./expected.js";
import type { Order } from "./orders.js";

/** A step as the database has it. */
export interface StepRow {
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  /** The stored step execution result; null when there is none. */
  readonly stored: JsonObject | null;
}

/** The steps of these tasks, by task uuid. */
export async function readSteps(
  pool: Pool,
  taskUuids: readonly string[],
): Promise<Map<string, StepRow[]>> {
  const { rows } = await pool.query<{
    task_uuid: string;
    name: string;
    state: string;
    attempts: number;
    results: string | null;
  }>(
    `select task_uuid, name, state, attempts, results::text from tasker.workflow_steps
     where task_uuid = any($1) order by step_id`,
    [taskUuids],
  );
  const byTask = new Map<string, StepRow[]>(taskUuids.map((uuid) => [uuid, []]));
  for (const { task_uuid, name, state, attempts, results } of rows) {
    const stored = results === null ? null : (parseJson(results) as JsonObject);
    byTask.get(task_uuid)?.push({ name, state, attempts, stored });
  }
  return byTask;
}

/** Every difference between an order's task and the independent computation, as sentences; none when it is right. */
export function differences(order: Order, state: string, steps: readonly StepRow[]): string[] {
  const expected = expectedOf(order);
  const found: string[] = [];
  if (state !== expected.state) found.push(`ended as ${state}, expected ${expected.state}`);
  for (const step of steps) found.push(...stepDifferences(step, expected));
  return found.map((difference) => `${order.order_id}: ${difference}`);
}

function stepDifferences(step: StepRow, expected: ExpectedOrder): string[] {
  const { name } = step;
  const result = expected.results[name];
  if (name === expected.failedStep) return failureDifferences(step, expected);
  if (result === undefined) {
    return step.state === "pending"
      ? []
      : [`step ${name} is ${step.state}, expected it not to run`];
  }
  // Beside a step that failed for good, the others may or may not have come to run.
  if (step.state !== "complete") {
    return expected.state === "complete"
      ? [`step ${name} is ${step.state}, expected complete`]
      : [];
  }
  return [...attemptDifferences(step, expected), ...valueDifferences(step, result)];
}

function failureDifferences(step: StepRow, { reason, ...expected }: ExpectedOrder): string[] {
  if (step.state !== "error") return [`step ${step.name} is ${step.state}, expected error`];
  const error = step.stored?.["error"] as JsonObject | null | undefined;
  const message = String(error?.["message"] ?? "");
  const isSame = message.includes(reason ?? "");
  return [
    ...(isSame ? [] : [`step ${step.name} failed with "${message}", expected "${reason}"`]),
    ...attemptDifferences(step, { reason, ...expected }),
  ];
}

// A worker that was killed may have used up an attempt: more of them are no error.
function attemptDifferences(step: StepRow, expected: ExpectedOrder): string[] {
  const least = expected.attempts[step.name] ?? 1;
  if (step.attempts >= least) return [];
  return [`step ${step.name} had ${step.attempts} attempts, expected at least ${least}`];
}

function valueDifferences(step: StepRow, expected: Readonly<Record<string, Value>>): string[] {
  const actual = (step.stored?.["result"] ?? {}) as JsonObject;
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...keys]
    .filter((key) => !isSameValue(actual[key], expected[key]))
    .map((key) => {
      const [got, wanted] = [shown(actual[key]), shown(expected[key])];
      return `${step.name}.${key} is ${got}, expected ${wanted}`;
    });
}

function isSameValue(actual: JsonValue | undefined, expected: Value | undefined): boolean {
  if (typeof expected === "bigint") return shown(actual) === String(expected);
  const plain = actual instanceof JsonNumber ? actual.valueOf() : actual;
  return plain === expected;
}

function shown(value: JsonValue | Value | undefined): string {
  if (value instanceof JsonNumber) return value.source;
  return typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? "absent");
}
