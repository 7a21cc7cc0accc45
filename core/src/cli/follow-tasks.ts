import type { Engine } from "../bootstrap.js";
import { stringifyJson } from "../lib/json-number.js";
import type { CreatedTask } from "../lifecycle/task-initializer.js";
import { EXIT } from "./exit-codes.js";
import type { Output } from "./output.js";
import { formatDuration } from "./render/duration.js";
import { prettyJson } from "./render/pretty-json.js";
import type { RunView } from "./run-view.js";
import {
  failedStep,
  finalResults,
  loadTaskReport,
  reportJson,
  type TaskReport,
} from "./task-report.js";
import { printable } from "./terminal.js";
import { watchTask } from "./watch-task.js";

export interface Followed {
  readonly engine: Engine;
  readonly tasks: readonly CreatedTask[];
  readonly output: Output;
  readonly view: RunView;
  /** The tasks came from `--each`: one line per task, and the answer is a list. */
  readonly isEach: boolean;
  /** `performance.now()` when the first one was created. */
  readonly startedAt: number;
}

export interface FollowLimits {
  readonly stop: AbortSignal;
  readonly timeoutSeconds: number | null;
}

interface Ending {
  readonly report: TaskReport;
  readonly error: (Readonly<Record<string, unknown>> & { readonly message: string }) | null;
}

/**
 * Waits until every task rests, shows how they get on, and prints what they came to.
 * @returns 0 when all are complete, else 1
 * @throws the reason of `stop`
 */
export async function followTasks(followed: Followed, limits: FollowLimits): Promise<number> {
  const { tasks, output, isEach } = followed;
  const timeout = new AbortController();
  const timer =
    limits.timeoutSeconds === null
      ? undefined
      : setTimeout(() => timeout.abort(), limits.timeoutSeconds * 1000);
  const signal = AbortSignal.any([limits.stop, timeout.signal]);
  try {
    const [only] = tasks;
    const endings =
      isEach || only === undefined
        ? await followMany(followed, limits, signal)
        : [await followOne(followed, only, limits, signal)];
    const isOk = endings.every(({ error }) => error === null);
    if (isEach) output.json({ tasks: endings.map(endingJson) });
    else for (const ending of endings) output.json(endingJson(ending));
    return isOk ? EXIT.ok : EXIT.failed;
  } finally {
    clearTimeout(timer);
  }
}

async function followOne(
  { engine, output, view, startedAt }: Followed,
  task: CreatedTask,
  limits: FollowLimits,
  signal: AbortSignal,
): Promise<Ending> {
  const title = `Task ${task.taskUuid}`;
  const languageOf = (callable: string): string | null =>
    engine.worker.pools.poolOf(callable)?.channel.pool ?? null;
  await untilTimeout(
    watchTask(engine, task, { show: (steps) => view.showSteps(title, steps, languageOf) }, signal),
    limits,
  );
  const ending = endingOf(await loadTaskReport(engine.pool, task.taskUuid), limits);
  const { palette } = output;
  const tookText = formatDuration(performance.now() - startedAt);
  if (ending.error === null) {
    output.print(`${palette.green("Complete")} in ${tookText}`);
    output.print(prettyJson(finalResults(ending.report)));
  } else {
    output.print(`${palette.red("Not complete")} after ${tookText}: ${ending.error.message}`);
  }
  return ending;
}

async function followMany(
  { engine, tasks, output }: Followed,
  limits: FollowLimits,
  signal: AbortSignal,
): Promise<Ending[]> {
  const { palette } = output;
  let complete = 0;
  const endings = await Promise.all(
    tasks.map(async (task) => {
      await untilTimeout(engine.waitForTask(task, signal), limits);
      const ending = endingOf(await loadTaskReport(engine.pool, task.taskUuid), limits);
      if (ending.error === null) complete++;
      output.print(
        ending.error === null
          ? `${palette.green("✓")} ${task.taskUuid}  complete  ${printable(stringifyJson(finalResults(ending.report)))}`
          : `${palette.red("✗")} ${task.taskUuid}  ${ending.error.message}`,
      );
      return ending;
    }),
  );
  output.print(`${complete} of ${tasks.length} tasks complete`);
  return endings;
}

/** Ends normally when the time is up: the task is reported as it stands. Throws when the command is to stop. */
async function untilTimeout(waiting: Promise<unknown>, { stop }: FollowLimits): Promise<void> {
  try {
    await waiting;
  } catch (error) {
    stop.throwIfAborted();
    if (!(error instanceof Error && error.name === "AbortError")) throw error;
  }
}

function endingOf(report: TaskReport, { timeoutSeconds }: FollowLimits): Ending {
  const { status, task_uuid } = report.task;
  if (status === "complete") return { report, error: null };
  const failed = failedStep(report);
  if (failed !== null) {
    const type = failed.error_type === null ? "" : `${printable(failed.error_type)}: `;
    const message = `step ${printable(failed.step)} failed (attempt ${failed.attempts} of ${failed.max_attempts}): ${type}${printable(failed.message)}`;
    return {
      report,
      error: { code: "TASK_FAILED", message, step: failed.step, error_type: failed.error_type },
    };
  }
  if (["error", "cancelled", "resolved_manually", "blocked_by_failures"].includes(status)) {
    return { report, error: { code: "TASK_FAILED", message: `the task is ${status}` } };
  }
  const message = `still ${status} after ${timeoutSeconds} s. It goes on when a worker runs: tasker task get ${task_uuid}`;
  return { report, error: { code: "TASK_WAIT_TIMEOUT", message } };
}

function endingJson({ report, error }: Ending): Record<string, unknown> {
  return error === null ? reportJson(report) : { ...reportJson(report), error };
}
