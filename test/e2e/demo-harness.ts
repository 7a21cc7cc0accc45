import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { Engine } from "../../core/src/bootstrap.js";
import { defaultConfig } from "../../core/src/config/index.js";
import type { Pool } from "../../core/src/db/index.js";
import { JsonText } from "../../core/src/lifecycle/task-request.js";
import { silentLogger } from "../../core/src/observability/index.js";
import { loadTemplateFile } from "../../core/src/templates/index.js";
import { differences, readSteps } from "../../examples/order-fulfilment/check.js";
import { contextOf, type Order, readOrders } from "../../examples/order-fulfilment/orders.js";
import { ORDER_TASK } from "../../examples/order-fulfilment/shop.js";
import { waitFor } from "../support/wait-for.js";

const ORDERS = 120;
const TEMPLATE = fileURLToPath(
  new URL("../../examples/order-fulfilment/order_fulfilment.yaml", import.meta.url),
);
const WORKER = fileURLToPath(new URL("./demo-worker.ts", import.meta.url));
const RESTED = "('complete', 'error', 'cancelled', 'resolved_manually', 'blocked_by_failures')";

/** Orders by the uuid of their task. */
export type PlacedOrders = ReadonlyMap<string, Order>;

/** Creates a task per order, by a host that runs no steps: nothing happens before a worker comes. */
export async function placeOrders(databaseUrl: string): Promise<PlacedOrders> {
  const { template } = await loadTemplateFile(TEMPLATE);
  if (template === null) throw new Error("the demo's template is not valid");
  const engine = new Engine({
    databaseUrl,
    config: defaultConfig(),
    logger: silentLogger(),
    templates: [template],
    migrate: true,
  });
  await engine.start();
  try {
    const orders = (await readOrders()).slice(0, ORDERS);
    const created = await Promise.all(
      orders.map((order) =>
        engine.createTask({ ...ORDER_TASK, context: new JsonText(contextOf(order)) }),
      ),
    );
    return new Map(created.map(({ taskUuid }, i) => [taskUuid, orders[i] as Order]));
  } finally {
    await engine.stop();
  }
}

export interface DemoWorker {
  readonly pid: number;
  readonly python: number;
  readonly ruby: number;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Lets it drain and close. */
  stop(): Promise<void>;
  log(): string;
}

export async function startWorker(databaseUrl: string): Promise<DemoWorker> {
  const child = spawn(
    process.execPath,
    ["--conditions=@tasker-core/source", "--import", "tsx", WORKER, databaseUrl],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += String(chunk);
  });
  const exited = once(child, "exit");
  const [line] = await Promise.race([
    once(createInterface(child.stdout), "line") as Promise<[string]>,
    exited.then(() => {
      throw new Error(`the worker ended before it was ready:\n${log}`);
    }),
  ]);
  const pids = JSON.parse(line) as Record<"python" | "ruby", number[]>;
  return {
    pid: child.pid ?? 0,
    python: pids.python[0] ?? 0,
    ruby: pids.ruby[0] ?? 0,
    kill: () => end(child, exited, () => child.kill("SIGKILL")),
    stop: () => end(child, exited, () => child.stdin.end()),
    log: () => log,
  };
}

async function end(child: ChildProcess, exited: Promise<unknown>, ask: () => void): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) ask();
  await exited;
}

/** Resolves in the middle of the work: so many steps are complete, and orders are still open. */
export async function untilStepsComplete(pool: Pool, least: number): Promise<void> {
  const state = await waitFor(
    async () => {
      const { rows } = await pool.query<{ complete: number; open: number }>(
        `select (select count(*)::int from tasker_core.steps where state = 'complete') as complete,
           (select count(*)::int from tasker_core.tasks where state not in ${RESTED}) as open`,
      );
      return rows[0] !== undefined && rows[0].complete >= least && rows[0];
    },
    { timeoutMs: 30_000, intervalMs: 5, describe: `${least} complete steps` },
  );
  expect(state.open, "orders that the fault can still hurt").toBeGreaterThan(0);
}

/** Waits until every order's task rests. */
export async function untilSettled(pool: Pool, worker: DemoWorker): Promise<void> {
  let open = -1;
  await waitFor(
    async () => {
      const { rows } = await pool.query<{ open: number }>(
        `select count(*)::int as open from tasker_core.tasks where state not in ${RESTED}`,
      );
      open = rows[0]?.open ?? -1;
      return open === 0;
    },
    {
      timeoutMs: 50_000,
      describe: () => `every order to settle; ${open} are open. The worker says:\n${tail(worker)}`,
    },
  );
}

function tail(worker: DemoWorker): string {
  return worker.log().split("\n").slice(-30).join("\n");
}

/** Every order ended as the independent computation says, and every step's result was accepted exactly once. */
export async function expectRightEnds(pool: Pool, placed: PlacedOrders): Promise<void> {
  const { rows: tasks } = await pool.query<{ task_uuid: string; state: string }>(
    "select task_uuid, state from tasker.tasks",
  );
  expect(tasks).toHaveLength(placed.size);
  const steps = await readSteps(pool, [...placed.keys()]);
  const wrong = tasks.flatMap(({ task_uuid, state }) => {
    const order = placed.get(task_uuid);
    if (order === undefined) return [`unknown task ${task_uuid}`];
    return differences(order, state, steps.get(task_uuid) ?? []);
  });
  expect(wrong).toEqual([]);

  const { rows } = await pool.query(
    `select count(*) filter (where state = 'complete' and successes = 0)::int as lost,
       count(*) filter (where successes > 1)::int as accepted_twice,
       count(*) filter (where state <> 'complete' and successes > 0)::int as accepted_in_vain,
       (count(*) filter (where state = 'complete') - sum(successes))::int as surplus
     from (
       select s.state, count(r.step_id) filter (where r.success) as successes
       from tasker_core.steps s left join tasker_core.step_results r on r.step_id = s.step_id
       group by s.step_id, s.state
     ) x`,
  );
  expect(rows).toEqual([{ lost: 0, accepted_twice: 0, accepted_in_vain: 0, surplus: 0 }]);
}

/** The handler processes of a killed worker notice and go. */
export async function untilGone(pids: readonly number[]): Promise<void> {
  await waitFor(() => pids.every((pid) => !isAlive(pid)), {
    timeoutMs: 15_000,
    describe: `processes ${pids.join(", ")} to end with their worker`,
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
