import { initialSteps } from "./initial-steps.js";
import { stepGraph } from "./step-graph.js";
import type { StepDefinition, StepType, TaskTemplate } from "./template.js";

export interface MermaidOptions {
  /** Current state by step name: colours the nodes. */
  readonly states?: Readonly<Record<string, string>>;
  /** A second line per step, for example its language; default: its callable. Null for none. */
  readonly secondLine?: (step: StepDefinition) => string | null;
}

const SHAPES: Record<StepType, readonly [open: string, close: string]> = {
  standard: ["[", "]"],
  decision: ["{", "}"],
  deferred_convergence: ["{{", "}}"],
  batchable: ["[/", "/]"],
  batch_worker: ["[[", "]]"],
};

const STATE_STYLES: Readonly<Record<string, string>> = {
  complete: "fill:#d3f2d9,stroke:#2f8f46,color:#123d1d",
  resolved_manually: "fill:#d3f2d9,stroke:#2f8f46,color:#123d1d,stroke-dasharray:4 3",
  in_progress: "fill:#d6e6fb,stroke:#2b6cb0,color:#12304f",
  error: "fill:#fbd9d6,stroke:#b3362b,color:#4f1712",
  waiting_for_retry: "fill:#fdecc8,stroke:#b7791f,color:#4f3a12",
  cancelled: "fill:#e6e6e6,stroke:#777777,color:#333333",
};

/**
 * A Mermaid flowchart of a template. The shape tells the step's type; a dashed arrow leads to a step that
 * is only created by a decision's or a batchable step's result.
 *
 * @throws StateError TEMPLATE_INVALID when the steps form a cycle
 */
export function toMermaid(template: TaskTemplate, options: MermaidOptions = {}): string {
  const { steps } = template;
  const graph = stepGraph(steps);
  const initial = initialSteps(steps, graph);
  const secondLine = options.secondLine ?? ((step) => step.handler.callable);
  const lines = ["flowchart TD"];

  steps.forEach((step, position) => {
    const [open, close] = SHAPES[step.type];
    const second = secondLine(step);
    const label = escapeLabel(step.name) + (second === null ? "" : `<br/>${escapeLabel(second)}`);
    lines.push(`  s${position}${open}"${label}"${close}`);
  });
  graph.parents.forEach((parents, position) => {
    const arrow = initial[position] === true ? "-->" : "-.->";
    for (const parent of parents) lines.push(`  s${parent} ${arrow} s${position}`);
  });
  return `${[...lines, ...stateLines(steps, options.states ?? {})].join("\n")}\n`;
}

function stateLines(
  steps: readonly StepDefinition[],
  states: Readonly<Record<string, string>>,
): string[] {
  const members = new Map<string, string[]>();
  steps.forEach((step, position) => {
    const state = Object.hasOwn(states, step.name) ? states[step.name] : undefined;
    if (state === undefined || !Object.hasOwn(STATE_STYLES, state)) return;
    members.set(state, [...(members.get(state) ?? []), `s${position}`]);
  });
  return [...members].flatMap(([state, ids]) => [
    `  classDef ${state} ${STATE_STYLES[state]}`,
    `  class ${ids.join(",")} ${state}`,
  ]);
}

/** Mermaid reads `#name;` as an entity inside quotes; everything it would interpret is written so. */
function escapeLabel(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "#": "#35;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "&": "#amp;",
    "`": "#96;",
    "\\": "#92;",
  };
  return text.replace(/\s+/g, " ").replace(/[#"<>&`\\]/g, (char) => entities[char] ?? char);
}
