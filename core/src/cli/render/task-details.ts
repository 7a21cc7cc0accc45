import { parseJson } from "../../lib/parse-json.js";
import type { AttemptRow } from "../../lifecycle/task-queries.js";
import { finalResults, type TaskReport } from "../task-report.js";
import { type Palette, printable } from "../terminal.js";
import { formatDuration } from "./duration.js";
import { prettyJson } from "./pretty-json.js";
import { renderStepTree } from "./step-tree.js";

/** A task with its steps, what went wrong in their attempts, its input and its results. */
export function renderTaskReport(report: TaskReport, palette: Palette, width: number): string {
  const { task, steps } = report;
  const line = (label: string, text: string): string => `  ${palette.dim(label.padEnd(9))} ${text}`;
  const tree = renderStepTree(steps, {
    palette,
    nowMs: Date.now(),
    languageOf: () => null,
    width,
    maxLines: Number.POSITIVE_INFINITY,
  });
  return [
    palette.bold(`Task ${task.task_uuid}`),
    line("template", `${task.namespace}/${task.name} ${task.version}`),
    line("status", `${task.status}, ${task.completed_steps} of ${task.total_steps} steps complete`),
    line("created", `${task.created_at.toISOString()} by ${printable(task.initiator)}`),
    line(
      task.completed_at === null ? "since" : "completed",
      (task.completed_at ?? task.updated_at).toISOString(),
    ),
    palette.bold("Steps"),
    ...tree,
    ...failures(report, palette),
    palette.bold("Input"),
    prettyJson(parseJson(task.context)),
    palette.bold("Results"),
    prettyJson(finalResults(report)),
  ].join("\n");
}

function failures({ steps, attempts }: TaskReport, palette: Palette): string[] {
  const failed = attempts.filter(({ success }) => !success);
  if (failed.length === 0) return [];
  const names = new Map(steps.map(({ ordinal, name }) => [ordinal, name]));
  return [
    palette.bold("Failed attempts"),
    ...failed.map(
      (attempt) => `  ${printable(names.get(attempt.ordinal) ?? "")}  ${describeAttempt(attempt)}`,
    ),
  ];
}

function describeAttempt(attempt: AttemptRow): string {
  const type = attempt.error_type === null ? "" : `${printable(attempt.error_type)}: `;
  const where = attempt.worker === null ? "" : ` on ${printable(attempt.worker)}`;
  const kind = attempt.retryable ? "retryable" : "permanent";
  return `${attempt.recorded_at.toISOString()}  ${kind}  ${formatDuration(attempt.execution_ms)}${where}  ${type}${printable(attempt.error_message ?? "")}`;
}
