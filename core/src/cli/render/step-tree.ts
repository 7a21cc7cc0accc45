import type { StepRow } from "../../lifecycle/task-queries.js";
import { clip, type Palette, printable } from "../terminal.js";
import { formatDuration } from "./duration.js";

export interface StepTreeOptions {
  readonly palette: Palette;
  readonly nowMs: number;
  /** Which language runs a callable, or null when this process does not know. */
  readonly languageOf: (callable: string) => string | null;
  /** Terminal columns. */
  readonly width: number;
  /** Lines at most; what does not fit is counted. */
  readonly maxLines: number;
}

const MAX_INDENT = 8;
const MAX_NAME = 40;

/** One line per step in dependency order, indented by depth: state, attempt, language, duration. */
export function renderStepTree(steps: readonly StepRow[], options: StepTreeOptions): string[] {
  const depths = depthsOf(steps);
  const shown = mostTelling(steps, options.maxLines);
  const indent = (step: StepRow): string =>
    "  ".repeat(Math.min(depths.get(step.ordinal) ?? 0, MAX_INDENT));
  const labels = shown.map((step) => indent(step) + clip(printable(step.name), MAX_NAME));
  const labelWidth = Math.max(0, ...labels.map((label) => label.length));
  const byOrdinal = new Map(steps.map((step) => [step.ordinal, step]));
  const lines = shown.map((step, i) => {
    const label = (labels[i] ?? "").padEnd(labelWidth);
    const rest = describeStep(step, byOrdinal, options);
    const text = clip(`${label}  ${rest}`, options.width - 4);
    return `  ${symbolOf(step, options.palette)} ${dimIfIdle(text, step, options.palette)}`;
  });
  const left = steps.filter((step) => !shown.includes(step));
  if (left.length > 0) lines.push(options.palette.dim(`    … ${countStates(left)}`));
  return lines;
}

/** What happened to a step, without its name: also the line of a log that is not a terminal. */
export function describeStep(
  step: StepRow,
  byOrdinal: ReadonlyMap<number, StepRow>,
  options: Pick<StepTreeOptions, "nowMs" | "languageOf">,
): string {
  const language = options.languageOf(step.callable);
  const attempt =
    step.attempts > 1 || step.state === "waiting_for_retry"
      ? `attempt ${step.attempts} of ${step.max_attempts}`
      : "";
  return [
    step.state,
    durationOf(step, options.nowMs),
    language ?? "",
    attempt,
    noteOf(step, byOrdinal, options.nowMs),
  ]
    .filter((part) => part !== "")
    .join("  ");
}

function durationOf(step: StepRow, nowMs: number): string {
  if (step.state === "in_progress" && step.last_attempted_at !== null) {
    return formatDuration(nowMs - step.last_attempted_at.getTime());
  }
  return step.execution_ms === null ? "" : formatDuration(step.execution_ms);
}

function noteOf(step: StepRow, byOrdinal: ReadonlyMap<number, StepRow>, nowMs: number): string {
  if (step.state === "pending") {
    const missing = step.dependencies
      .map((ordinal) => byOrdinal.get(ordinal))
      .filter((parent) => parent !== undefined && !isDone(parent));
    if (missing.length === 0) return "";
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
    return `after ${printable(missing[0]?.name ?? "")}${more}`;
  }
  if (step.state === "waiting_for_retry" && step.next_retry_at !== null) {
    const inMs = Math.max(0, step.next_retry_at.getTime() - nowMs);
    return `again in ${formatDuration(inMs)}: ${printable(step.error_message ?? "")}`;
  }
  return step.state === "error" ? printable(step.error_message ?? "") : "";
}

function isDone({ state }: StepRow): boolean {
  return state === "complete" || state === "resolved_manually";
}

const SYMBOLS: Readonly<
  Record<string, readonly [string, "green" | "red" | "yellow" | "blue" | "dim"]>
> = {
  complete: ["✓", "green"],
  resolved_manually: ["✓", "green"],
  error: ["✗", "red"],
  waiting_for_retry: ["↻", "yellow"],
  in_progress: ["●", "blue"],
  cancelled: ["–", "dim"],
};

function symbolOf({ state }: StepRow, palette: Palette): string {
  const [symbol, colour] = SYMBOLS[state] ?? ["○", "dim"];
  return palette[colour](symbol);
}

function dimIfIdle(text: string, { state }: StepRow, palette: Palette): string {
  return state === "pending" || state === "cancelled" ? palette.dim(text) : text;
}

/** Length of the longest way to a step without dependencies. Parents come before children. */
function depthsOf(steps: readonly StepRow[]): Map<number, number> {
  const depths = new Map<number, number>();
  for (const { ordinal, dependencies } of steps) {
    depths.set(
      ordinal,
      Math.max(-1, ...dependencies.map((parent) => depths.get(parent) ?? -1)) + 1,
    );
  }
  return depths;
}

const TELLING = ["error", "waiting_for_retry", "in_progress", "enqueued", "pending"];

/** All that fit, else what is failing and running first; in their order. */
function mostTelling(steps: readonly StepRow[], maxLines: number): readonly StepRow[] {
  if (steps.length <= maxLines) return steps;
  const rank = ({ state }: StepRow): number => {
    const place = TELLING.indexOf(state);
    return place === -1 ? TELLING.length : place;
  };
  const room = Math.max(1, maxLines - 1); // one line counts the others
  const kept = new Set(
    [...steps].sort((a, b) => rank(a) - rank(b) || a.ordinal - b.ordinal).slice(0, room),
  );
  return steps.filter((step) => kept.has(step));
}

function countStates(steps: readonly StepRow[]): string {
  const counts = new Map<string, number>();
  for (const { state } of steps) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
}
