import type { StepRow } from "../lifecycle/task-queries.js";
import type { Output } from "./output.js";
import { LiveBlock } from "./render/live-block.js";
import { describeStep, renderStepTree } from "./render/step-tree.js";
import { printable } from "./terminal.js";

export interface RunView {
  /** The steps of one task, as they are now. */
  showSteps(title: string, steps: readonly StepRow[], languageOf: LanguageOf): void;
  /** Prints on the same terminal, above what is redrawn. */
  around(write: () => void): void;
}

export type LanguageOf = (callable: string) => string | null;

/** A tree that is redrawn in place on a terminal, a line per change elsewhere, nothing in JSON mode. */
export function createRunView(output: Output): RunView {
  if (output.isJson) return { showSteps: () => undefined, around: (write) => write() };
  return output.stdout.isTTY === true ? liveView(output) : lineView(output);
}

function liveView(output: Output): RunView {
  const block = new LiveBlock(output.stdout);
  const { palette, stdout } = output;
  return {
    showSteps: (title, steps, languageOf) => {
      const tree = renderStepTree(steps, {
        palette,
        nowMs: Date.now(),
        languageOf,
        // A terminal that does not know its size says 0.
        width: stdout.columns || 80,
        maxLines: Math.max(3, (stdout.rows || 24) - 3),
      });
      block.draw([palette.bold(title), ...tree]);
    },
    around: (write) => block.around(write),
  };
}

/** States worth a line in a log. */
const LOGGED = new Set([
  "in_progress",
  "waiting_for_retry",
  "complete",
  "error",
  "cancelled",
  "resolved_manually",
]);

function lineView(output: Output): RunView {
  const seen = new Map<number, string>();
  let isTitled = false;
  return {
    showSteps: (title, steps, languageOf) => {
      if (!isTitled) output.print(title);
      isTitled = true;
      const byOrdinal = new Map(steps.map((step) => [step.ordinal, step]));
      for (const step of steps) {
        const now = `${step.state}/${step.attempts}`;
        if (!LOGGED.has(step.state) || seen.get(step.ordinal) === now) continue;
        seen.set(step.ordinal, now);
        const rest = describeStep(step, byOrdinal, { nowMs: Date.now(), languageOf });
        output.print(`  ${printable(step.name)}  ${rest}`);
      }
    },
    around: (write) => write(),
  };
}
