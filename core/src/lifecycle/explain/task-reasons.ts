import type { Reason } from "./reason.js";
import type { TaskFacts } from "./task-facts.js";
import { span } from "./words.js";

export const FINAL_STATES: ReadonlySet<string> = new Set([
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
]);

/** What there is to say about the task as a whole. */
export function taskReasons(facts: TaskFacts): Reason[] {
  return [...inDlq(facts), ...staleness(facts), ...settingUp(facts), ...final(facts)];
}

function inDlq({ dlq, now }: TaskFacts): Reason[] {
  if (dlq === null || dlq.resolution_status !== "pending") return [];
  const since = span(now.getTime() - dlq.dlq_timestamp.getTime());
  return [
    about(
      "in_dlq",
      `has been in the DLQ for ${since} (${dlq.dlq_reason}): an investigation is open`,
      `look at \`tasker dlq get\` of the task; when it is dealt with, \`tasker dlq update ${dlq.dlq_entry_uuid} -s manually_resolved -n "…"\` closes it. That changes the record only, not the task`,
    ),
  ];
}

function staleness({ staleness: x, settings }: TaskFacts): Reason[] {
  if (x === null) return [];
  const inState = x.threshold_minutes ?? Number.POSITIVE_INFINITY;
  if (x.is_stale) {
    const isOld = x.age_minutes >= x.lifetime_minutes;
    const limit = isOld
      ? `it is ${span(x.age_minutes * 60_000)} old, and may live ${span(x.lifetime_minutes * 60_000)}`
      : `nothing has happened for ${span(x.minutes_in_state * 60_000)}, and ${span(inState * 60_000)} are allowed`;
    const end = [x.to_dlq ? "is put into the DLQ" : null, x.to_error ? "ends in error" : null]
      .filter((part) => part !== null)
      .join(" and ");
    const next =
      end === "" ? "its template says to leave it alone" : `the next staleness check: it ${end}`;
    return [
      about(
        "stale",
        `is stale: ${limit}; ${next}`,
        "remove what it waits for (below), or raise the limits: lifecycle of the template, orchestration.dlq.staleness_detection.thresholds",
      ),
    ];
  }
  const left = Math.min(inState - x.minutes_in_state, x.lifetime_minutes - x.age_minutes);
  const limit = Math.min(inState, x.lifetime_minutes);
  if (settings.staleness === null || left > limit / 5 || !(x.to_dlq || x.to_error)) return [];
  return [
    about("going_stale", `counts as stale in ${span(left * 60_000)} unless something happens`),
  ];
}

const SETTING_UP = new Set(["pending", "initializing", "enqueuing_steps"]);

function settingUp({ task, now }: TaskFacts): Reason[] {
  if (!SETTING_UP.has(task.status)) return [];
  const since = span(now.getTime() - task.updated_at.getTime());
  return [
    about(
      "set_up",
      `is being set up (${task.status}) since ${since}; that takes one transaction`,
      "if it stays so, look at the log of the orchestrator and at `tasker doctor`",
    ),
  ];
}

function final({ task, steps, lastAction, now }: TaskFacts): Reason[] {
  if (!FINAL_STATES.has(task.status)) return [];
  const at = task.completed_at ?? task.updated_at;
  const ago = `${span(now.getTime() - at.getTime())} ago`;
  const by =
    lastAction === null
      ? ""
      : `, by ${lastAction.actor}${lastAction.reason === null ? "" : ` (${lastAction.reason})`}`;
  switch (task.status) {
    case "complete": {
      const tolerated = steps.filter(({ state }) => state === "error").length;
      const but = tolerated === 0 ? "" : `; ${tolerated} failed batch workers were tolerated`;
      return [about("final", `is complete since ${ago}: every step is done${but}`)];
    }
    case "cancelled":
      return [about("final", `was cancelled ${ago}${by}; nothing of it runs any more`)];
    case "resolved_manually":
      return [about("final", `was resolved by hand ${ago}${by}; nothing of it runs any more`)];
    default:
      return [
        about(
          "final",
          `was given up ${ago}${by}; a task in error stays so`,
          "create it anew once the cause is gone",
        ),
      ];
  }
}

function about(code: Reason["code"], text: string, todo: string | null = null): Reason {
  return { code, step: null, text, todo };
}
