import { nearestName } from "../../lib/nearest-name.js";
import type { Reason } from "./reason.js";
import type { StepFacts, TaskFacts } from "./task-facts.js";
import { count, list, oneLine, span } from "./words.js";

/** The step's handler has been told off by its own end: what is left is for an operator. */
export function failed(facts: TaskFacts, step: StepFacts): Reason {
  const { task } = facts;
  const type = step.error_type === null ? "" : `${oneLine(step.error_type)}: `;
  const error = step.error_message === null ? "no result was stored" : oneLine(step.error_message);
  const why =
    step.deaths > 0 && step.error_type === "crash_loop"
      ? `it took its process down ${count(step.deaths, "time")}`
      : step.error_retryable === true
        ? `all ${count(step.max_attempts, "attempt")} are used up`
        : "its error is permanent, so it is not tried again";
  const on = `${task.task_uuid} ${step.name}`;
  return {
    code: "step_failed",
    step: step.name,
    text: `failed for good after ${count(step.attempts, "attempt")}: ${type}${error} (${why})`,
    todo: step.failure_tolerated
      ? null
      : `mend the cause, then \`tasker task reset-step ${on} -r "…"\` to run it again; \`tasker task complete-step ${on} --result '…'\` gives the result by hand, \`tasker task resolve-step ${on}\` goes on without`,
  };
}

export function enqueued(facts: TaskFacts, step: StepFacts): Reason {
  const { servers, liveWorkers, settings, now } = facts;
  const workers = servers.get(step.callable);
  const waited = now.getTime() - step.updated_at.getTime();
  const message = facts.queues.find(({ ordinal }) => ordinal === step.ordinal);
  if (message !== undefined && !message.present) {
    return {
      code: "message_lost",
      step: step.name,
      text: `is enqueued, but its message is not in ${message.queue_name} any more`,
      todo: `none while a server or \`tasker dev\` runs: every ${settings.reconcileIntervalSeconds} s it sends lost messages anew`,
    };
  }
  if (workers === undefined && liveWorkers === 0) {
    return {
      code: "no_worker",
      step: step.name,
      text: `is ready and has waited ${span(waited)}: no worker is alive on this database`,
      todo: "start one: `tasker dev`, or `tasker worker --handlers <path>`",
    };
  }
  if (workers === undefined) return noHandler(facts, step, waited);
  return queued(facts, step, workers, message);
}

function noHandler({ servers, settings }: TaskFacts, step: StepFacts, waited: number): Reason {
  const near = nearestName(step.callable, servers.keys());
  const meant = near === null ? "" : `; one of them serves \`${near}\``;
  const left = settings.handlerWaitSeconds * 1000 - waited;
  const end =
    left > 0
      ? `A worker of its namespace fails it in ${span(left)} (lease.handler_wait_seconds)`
      : "A worker of its namespace fails it as soon as it looks";
  return {
    code: "no_handler",
    step: step.name,
    text: `is ready and has waited ${span(waited)} for a handler \`${step.callable}\`, which no live worker registers${meant}. ${end}`,
    todo: `start a worker whose handlers include \`${step.callable}\`, or mend the \`callable\` of the template and register it`,
  };
}

const CLASSES = ["low", "normal", "high"] as const;

function queued(
  { now, task }: TaskFacts,
  step: StepFacts,
  workers: readonly string[],
  message: TaskFacts["queues"][number] | undefined,
): Reason {
  const served = `\`${step.callable}\` is served by ${list(workers)}`;
  if (message === undefined) {
    return {
      code: "queued",
      step: step.name,
      text: `is ready and waits for its turn; ${served}`,
      todo: null,
    };
  }
  const hidden = (message.visible_at?.getTime() ?? 0) - now.getTime();
  if (hidden > 0) {
    return {
      code: "queued",
      step: step.name,
      text: `is ready, and its message in ${message.queue_name} may be read in ${span(hidden)}; ${served}`,
      todo: null,
    };
  }
  const own = CLASSES[message.class] ?? "normal";
  const higher =
    message.class === 2 ? "" : `, ${count(message.higher, "step")} of higher priority beside them`;
  const alone = step.solo ? "; it runs alone, since it was there when a process died" : "";
  const isFull = message.ahead > 0 || message.higher > 0;
  return {
    code: "queued",
    step: step.name,
    text: `is ready, priority ${task.priority} (${own}): ${count(message.ahead, "step")} ahead of it in ${message.queue_name}${higher}; ${served}${alone}`,
    todo: isFull
      ? "none, it has its turn; more workers, or more slots (worker.mpsc_channels.handler_dispatch.max_concurrent_handlers), make it come sooner"
      : "none if the worker's slots free up soon; `tasker worker list` shows who is alive",
  };
}

/** Twice a heartbeat of an idle worker: a live one has been seen since. */
const SILENT_MS = 15_000;

export function inProgress({ now }: TaskFacts, step: StepFacts): Reason {
  const { worker, leased_until: until } = step;
  const attempt = `attempt ${step.attempts} of ${step.max_attempts}`;
  if (worker === null) {
    return {
      code: "lease_expired",
      step: step.name,
      text: `was given back by a worker that stopped or lost its handler process, and waits for another one (${attempt}, the lost one is not counted)`,
      todo: "none while a worker of its handler runs",
    };
  }
  const who = `${worker.name} (pid ${worker.pid} on ${worker.hostname})`;
  const left = (until?.getTime() ?? 0) - now.getTime();
  const seen = now.getTime() - worker.last_seen_at.getTime();
  if (left <= 0) {
    return {
      code: "lease_expired",
      step: step.name,
      text: `was running on ${who}, whose lease ended ${span(-left)} ago: the worker died or lost the database${deaths(step)}`,
      todo: "none while another worker of its handler runs: it takes the step over",
    };
  }
  if (worker.stopped_at !== null || seen > SILENT_MS) {
    const how = worker.stopped_at === null ? `has not been seen for ${span(seen)}` : "has stopped";
    return {
      code: "worker_silent",
      step: step.name,
      text: `is leased to ${who}, which ${how}; its lease ends in ${span(left)}, then another worker takes the step over${deaths(step)}`,
      todo: null,
    };
  }
  const since = now.getTime() - (step.last_attempted_at ?? step.updated_at).getTime();
  return {
    code: "running",
    step: step.name,
    text: `has been running for ${span(since)} on ${who}, ${attempt}${deaths(step)}`,
    todo: null,
  };
}

function deaths({ deaths: n }: StepFacts): string {
  return n === 0 ? "" : `; it has lost its process or lease ${count(n, "time")} before`;
}

export function waitingForRetry({ now, settings }: TaskFacts, step: StepFacts): Reason {
  const type = step.error_type === null ? "" : `${oneLine(step.error_type)}: `;
  const failure = `attempt ${step.attempts} of ${step.max_attempts} failed: ${type}${oneLine(step.error_message ?? "no message")}`;
  const due = step.next_retry_at;
  if (due === null) {
    return {
      code: "retry_overdue",
      step: step.name,
      text: `${failure}. It waits for a retry whose time is lost`,
      todo: `none while a server or \`tasker dev\` runs: every ${settings.reconcileIntervalSeconds} s it repairs lost timers`,
    };
  }
  const left = due.getTime() - now.getTime();
  if (left < -5000) {
    return {
      code: "retry_overdue",
      step: step.name,
      text: `${failure}. The retry has been due for ${span(-left)}, and nobody has queued it`,
      todo: "start an orchestrator: `tasker dev` or `tasker server`",
    };
  }
  return {
    code: "waiting_for_retry",
    step: step.name,
    text: `${failure}. It is tried again ${left <= 0 ? "now" : `in ${span(left)}, at ${due.toISOString()}`}`,
    todo: null,
  };
}

export function resultNotSettled(facts: TaskFacts, step: StepFacts): Reason {
  const waited = span(facts.now.getTime() - step.updated_at.getTime());
  const kind = step.state === "enqueued_for_orchestration" ? "result" : "error";
  return {
    code: "result_not_settled",
    step: step.name,
    text: `has handed in its ${kind}, which has waited ${waited} to be processed (${count(facts.resultsWaiting, "result")} in orchestration_step_results)`,
    todo: "start an orchestrator if none runs: `tasker server` or `tasker dev`",
  };
}
