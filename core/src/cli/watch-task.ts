import type { Engine } from "../bootstrap.js";
import { delay } from "../lib/delay.js";
import type { CreatedTask } from "../lifecycle/task-initializer.js";
import { type StepRow, stepsOfTask } from "../lifecycle/task-queries.js";

const POLL_MS = 100;

export interface TaskView {
  /** The steps as they are now. */
  show(steps: readonly StepRow[]): void;
}

/**
 * Follows a task until it comes to rest, and shows its steps on the way.
 * @returns the state in which it rests
 * @throws the signal's reason when it aborts first; StateError TASK_NOT_FOUND
 */
export async function watchTask(
  engine: Engine,
  task: CreatedTask,
  view: TaskView,
  signal: AbortSignal,
): Promise<string> {
  const rested = engine.waitForTask(task.taskUuid, signal);
  let state: string | null = null;
  const done = rested.then((result) => {
    state = result;
  });
  done.catch(() => undefined); // thrown below, where it is awaited
  while (state === null) {
    const startedAt = performance.now();
    view.show(await stepsOfTask(engine.pool, task.taskId));
    // A task of thousands of steps is looked at less often: the database has better things to do.
    const pauseMs = Math.max(POLL_MS, 10 * (performance.now() - startedAt));
    const waking = new AbortController();
    const pause = delay(pauseMs, waking.signal).catch(() => undefined);
    await Promise.race([done, pause]).finally(() => waking.abort());
  }
  view.show(await stepsOfTask(engine.pool, task.taskId));
  return state;
}
