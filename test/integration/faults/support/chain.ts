import { createTasks, loadTasks } from "../../../../core/src/db/functions/index.js";
import type { Pool } from "../../../../core/src/db/index.js";
import { newTask } from "../../../../core/src/lifecycle/task-request.js";
import { TemplateRegistry } from "../../../../core/src/lifecycle/template-registry.js";
import type { TestStep } from "../../../support/test-engine.js";
import { CHAIN } from "./protocol.js";

/** Four steps in a row; the third fails once. */
export const CHAIN_STEPS: readonly TestStep[] = [
  { name: "one", callable: "chain.one" },
  { name: "two", callable: "chain.two", dependencies: ["one"] },
  {
    name: "again",
    callable: "chain.again",
    dependencies: ["two"],
    retry: { retryable: true, max_attempts: 3, backoff: "linear", backoff_base_ms: 100 },
  },
  { name: "last", callable: "chain.last", dependencies: ["again"] },
];

export const valuesFor = (n: number): Record<string, number> => ({
  one: n,
  two: n * 2,
  again: n * 2 + 1,
  last: (n * 2 + 1) * 10,
});

/** Where handlers write down that they ran, and what they did: once per idempotency key, as a good handler does. */
export const RECORDS = `
  create table public.runs (task_uuid uuid, step text, attempt integer, key text, pid integer,
    at timestamptz not null default clock_timestamp());
  create table public.effects (key text primary key);
`;

/**
 * A client without a host: the task is created in the database, its first step waits in the queue. A second request with
 * the same key finds the task of the first.
 */
export async function createFromOutside(
  pool: Pool,
  n: number,
  key: string,
): Promise<{ taskUuid: string; existed: boolean }> {
  const template = await new TemplateRegistry(pool).find(
    CHAIN.namespace,
    CHAIN.name,
    CHAIN.version,
  );
  const task = newTask({ ...CHAIN, context: { n }, idempotencyKey: key }, template);
  const nowhere = { callableIds: [], pools: [], free: [], waitingClass: 0 } as const;
  const outcome = await createTasks(pool, 0, [task], nowhere, 1_000);
  const [duplicate] = outcome.duplicates;
  if (duplicate === undefined) return { taskUuid: task.taskUuid, existed: false };
  const [found] = await loadTasks(pool, [duplicate.taskId]);
  return { taskUuid: found?.task_uuid ?? "", existed: true };
}
