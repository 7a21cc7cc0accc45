import { delay } from "../../lib/delay.js";
import type { JsonObject } from "../../lib/json-number.js";
import { type Api, listOf, objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { createProgress } from "../render/progress-bar.js";
import { listenForStop } from "../stop-signals.js";
import { taskArgument } from "../uuid-argument.js";

export interface TaskWatchOptions {
  /** Seconds. */
  readonly timeout?: number;
  /** Seconds. */
  readonly interval: number;
}

const RESTING = new Set([
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
  "blocked_by_failures",
]);
const GOOD = new Set(["complete", "resolved_manually"]);

/** `tasker task watch <uuid>`: each change of a step, until the task rests. Exit code 1 unless it is complete. */
export async function taskWatch(
  context: CommandContext,
  options: TaskWatchOptions,
  [task = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const taskUuid = taskArgument(task);
  const stops = listenForStop(() => undefined);
  const timeout =
    options.timeout === undefined ? [] : [AbortSignal.timeout(options.timeout * 1000)];
  const signal = AbortSignal.any([stops.signal, ...timeout]);
  try {
    const last = await withApi(context, (api) => follow(context, api, taskUuid, options, signal));
    output.json(last);
    if (stops.exitCode !== null) return stops.exitCode;
    const status = shown(last["status"]);
    if (RESTING.has(status)) {
      output.print(`Task ${taskUuid} is ${status}`);
      return GOOD.has(status) ? EXIT.ok : EXIT.failed;
    }
    output.note(
      `Task ${taskUuid} is still ${status} after ${options.timeout} s: see \`tasker task explain ${taskUuid}\``,
    );
    return EXIT.failed;
  } finally {
    stops.close();
  }
}

/** The task as it was last seen. */
async function follow(
  { output }: CommandContext,
  api: Api,
  taskUuid: string,
  { interval }: TaskWatchOptions,
  signal: AbortSignal,
): Promise<JsonObject> {
  const progress = createProgress(output);
  const seen = new Map<string, string>();
  try {
    for (;;) {
      const answer = await api.call("GET", `/v1/tasks/${taskUuid}`, { intent: "watch the task" });
      const found = objectOf(answer);
      progress.end();
      for (const step of listOf(found["steps"])) {
        const now = `${shown(step["current_state"])}, attempt ${shown(step["attempts"])} of ${shown(step["max_attempts"])}`;
        const name = shown(step["name"]);
        if (seen.get(name) === now) continue;
        const isFirst = !seen.has(name);
        seen.set(name, now);
        if (!(isFirst && step["current_state"] === "pending")) output.print(`${name}  ${now}`);
      }
      if (RESTING.has(shown(found["status"])) || signal.aborted) return found;
      progress.show(
        Number(found["completed_steps"]),
        Number(found["total_steps"]),
        "steps complete",
      );
      await delay(interval * 1000, signal).catch(() => undefined);
    }
  } finally {
    progress.end();
  }
}
