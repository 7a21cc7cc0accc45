import type { TaskTemplate } from "../../../core/src/model/index.js";
import { yamlTemplate } from "../../support/test-engine.js";
import { callable, type Speaker, type Voice } from "./voices.js";

/** A workflow in no particular language: `$word` stands for the handler of that name. */
export interface Shape {
  readonly name: string;
  /** The template's `steps:`, indented by two. */
  readonly steps: string;
  readonly cases: readonly ShapeCase[];
}

/** Files that handlers read, by the names that inputs use. */
export interface ShapeFiles {
  readonly rows: string;
  readonly oneRow: string;
  readonly fewRows: string;
  readonly noRows: string;
}

export interface ShapeCase {
  readonly title: string;
  readonly input: (files: ShapeFiles) => Readonly<Record<string, unknown>>;
  readonly state: string;
  /** Every step that the task has in the end. */
  readonly steps: (speakerOf: (step: string) => Speaker) => Readonly<Record<string, StepEnd>>;
  /** The task's states, where they do not depend on who is faster. */
  readonly taskTrail?: readonly string[];
  /** Domain events as `mode.condition`, one for each time they are published. Subscribers of every language see the fast ones. */
  readonly events?: readonly string[];
  /** The steps for which a dead letter is opened. Default none. */
  readonly investigated?: (speakerOf: (step: string) => Speaker) => readonly string[];
}

/** How a step ends: compared with what the database has, field by field. */
export interface StepEnd {
  readonly state: string;
  readonly attempts: number;
  readonly result: unknown;
  readonly error: StepFailure | null;
  readonly trail: readonly string[];
}

export interface StepFailure {
  readonly type: string | null;
  readonly message: unknown;
  readonly code: string | null;
}

const RUN = ["enqueued", "in_progress"];
const RETRIED = [...RUN, "enqueued_as_error_for_orchestration", "waiting_for_retry", "pending"];

function trailOf(attempts: number, end: readonly string[]): string[] {
  const retries = Array.from({ length: attempts - 1 }, () => RETRIED).flat();
  return ["pending", ...retries, ...RUN, ...end];
}

export function completes(result: unknown, attempts = 1): StepEnd {
  const trail = trailOf(attempts, ["enqueued_for_orchestration", "complete"]);
  return { state: "complete", attempts, result, error: null, trail };
}

export function fails(
  type: string,
  message: unknown,
  { attempts = 1, code = null }: { attempts?: number; code?: string | null } = {},
): StepEnd {
  const trail = trailOf(attempts, ["enqueued_as_error_for_orchestration", "error"]);
  return { state: "error", attempts, result: {}, error: { type, message, code }, trail };
}

/** Never ran, because something before it failed. */
export const WAITS: StepEnd = {
  state: "pending",
  attempts: 0,
  result: null,
  error: null,
  trail: ["pending"],
};

/** The word for a kind of failure in a speaker's language. */
export function errorType({ language, form }: Speaker, kind: ErrorKind): string {
  if (language === "ruby") return RUBY_TYPES[kind];
  if (kind !== "crash") return `${kind}_error`;
  if (form === "functional") return "handler_error";
  return language === "python" ? "IndexError" : "RangeError";
}

type ErrorKind = "permanent" | "retryable" | "crash";
const RUBY_TYPES = {
  permanent: "PermanentError",
  retryable: "RetryableError",
  crash: "UnexpectedError",
};

export const templateName = (shape: Shape, voice: Voice) => `${shape.name}_${voice.name}`;

export const templateOf = (shape: Shape, voice: Voice): TaskTemplate =>
  yamlTemplate(templateText(shape, voice));

/** The shape's template with its handlers in the given voice. */
export function templateText(shape: Shape, voice: Voice): string {
  let step = 0;
  const steps = shape.steps.replace(/\$(\w+)/g, (_, word: string) => {
    const spoken = callable(voice.at(step), word);
    step += 1;
    return spoken;
  });
  return `
name: ${templateName(shape, voice)}
namespace_name: tests
version: 1.0.0
identity_strategy: always_unique
steps:
${steps}`;
}

/** Who speaks for a step of the template; steps made at run time are asked for by the name of their template step. */
export function speakers(template: TaskTemplate, voice: Voice): (step: string) => Speaker {
  return (name) => voice.at(template.steps.findIndex((step) => step.name === name));
}
