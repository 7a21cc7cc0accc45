import type { Engine } from "../../core/src/bootstrap.js";
import { JsonText } from "../../core/src/lifecycle/task-request.js";
import { contextOf, type Order } from "./orders.js";
import { ORDER_TASK } from "./shop.js";

/** An order whose task has come to rest. */
export interface SettledOrder {
  readonly order: Order;
  readonly taskUuid: string;
  readonly state: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly engine: Engine;
  readonly orders: readonly Order[];
  /** Orders that are under way at the same time. */
  readonly inFlight: number;
  readonly signal: AbortSignal;
  readonly onSettled: (settled: number) => void;
}

/** Creates a task for every order and waits for all of them. */
export async function runOrders(options: RunOptions): Promise<SettledOrder[]> {
  const { engine, orders, inFlight, signal, onSettled } = options;
  const settled: SettledOrder[] = [];
  const waiting = orders.values();

  const serve = async (): Promise<void> => {
    // One iterator for everybody: each takes the next order that nobody has taken.
    for (const order of waiting) {
      const started = performance.now();
      const task = await engine.createTask({
        ...ORDER_TASK,
        context: new JsonText(contextOf(order)),
      });
      const state = await engine.waitForTask(task, signal);
      settled.push({ order, taskUuid: task.taskUuid, state, ms: performance.now() - started });
      onSettled(settled.length);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, serve));
  return settled;
}
