import { hasBrand, TASK_DEFINITION } from "../brand.js";
import type { StepHandlerClass } from "../handler.js";

type Fields = Readonly<Record<string, unknown>>;

export interface StepDefinitionParts {
  readonly name: string;
  readonly callable: string;
  readonly dependsOn: readonly string[];
  readonly retryable: boolean;
  readonly retryLimit: number;
  readonly timeoutMs: number | null;
  readonly description: string | null;
  readonly config: Fields;
  /** Further keys of the template's step. */
  readonly template: Fields;
  /** Null when another process has it. */
  readonly handlerClass: StepHandlerClass | null;
}

export interface TaskDefinitionParts {
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  readonly description: string | null;
  readonly inputSchema: Fields | null;
  readonly template: Fields;
  readonly steps: readonly StepDefinitionParts[];
}

export interface StepInfo {
  readonly name: string;
  readonly callable: string;
  readonly dependsOn: readonly string[];
  readonly retryable: boolean;
  readonly retryLimit: number;
  readonly timeoutMs: number | null;
  readonly description: string | null;
}

export interface TaskInfo {
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  readonly description: string | null;
  /** JSON Schema of the context, or null. */
  readonly schema: Fields | null;
  readonly steps: readonly StepInfo[];
}

const VERSION = /^(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/;

/** One version of a task, defined in code. */
export class TaskDefinition {
  readonly name: string;
  readonly namespace: string;
  readonly version: string;
  /** The handlers of its steps, for programs that register them themselves. */
  readonly handlers: readonly StepHandlerClass[];
  readonly #parts: TaskDefinitionParts;

  /** @throws Error naming the step and what is wrong with it */
  constructor(parts: TaskDefinitionParts) {
    check(parts);
    this.#parts = parts;
    this.name = parts.name;
    this.namespace = parts.namespace;
    this.version = parts.version;
    this.handlers = parts.steps.flatMap(({ handlerClass }) => handlerClass ?? []);
  }

  get [TASK_DEFINITION](): true {
    return true;
  }

  /** `<namespace>/<name>` */
  get key(): string {
    return `${this.namespace}/${this.name}`;
  }

  get info(): TaskInfo {
    const { description, inputSchema, steps } = this.#parts;
    return {
      name: this.name,
      namespace: this.namespace,
      version: this.version,
      description,
      schema: inputSchema,
      steps: steps.map(
        ({ name, callable, dependsOn, retryable, retryLimit, timeoutMs, description }) => ({
          name,
          callable,
          dependsOn,
          retryable,
          retryLimit,
          timeoutMs,
          description,
        }),
      ),
    };
  }

  /** The shape of a YAML template file. */
  toTemplate(): Record<string, unknown> {
    const { description, inputSchema, template, steps } = this.#parts;
    return {
      name: this.name,
      namespace_name: this.namespace,
      version: this.version,
      ...(description === null ? {} : { description }),
      ...(inputSchema === null ? {} : { input_schema: inputSchema }),
      ...template,
      steps: steps.map(stepTemplate),
    };
  }
}

/** From whichever copy of the package. */
export function isTaskDefinition(value: unknown): value is TaskDefinition {
  return hasBrand(value, TASK_DEFINITION);
}

function stepTemplate(step: StepDefinitionParts): Record<string, unknown> {
  const hasConfig = Object.keys(step.config).length > 0;
  return {
    name: step.name,
    handler: {
      callable: step.callable,
      ...(hasConfig ? { initialization: step.config } : {}),
    },
    dependencies: [...step.dependsOn],
    retry: { retryable: step.retryable, max_attempts: step.retryLimit },
    ...(step.description === null ? {} : { description: step.description }),
    ...(step.timeoutMs === null ? {} : { timeout_seconds: Math.ceil(step.timeoutMs / 1000) }),
    ...step.template,
  };
}

/** Negative, zero or positive: which of two versions is older. A pre-release comes before its release. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [partsOf(left), partsOf(right)];
  const different = a.findIndex((part, index) => part !== b[index]);
  return different === -1 ? left.localeCompare(right) : a[different]! - b[different]!;
}

function partsOf(version: string): number[] {
  const [, major, minor, patch] = VERSION.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch), version.includes("-") ? 0 : 1];
}

function check({ name, namespace, version, steps }: TaskDefinitionParts): void {
  if (name === "" || namespace === "") throw new Error("A task needs a name and a namespace");
  const task = `Task ${namespace}/${name}`;
  if (!VERSION.test(version)) {
    throw new Error(`${task}: expected a version like 1.0.0, got \`${version}\``);
  }
  if (steps.length === 0) throw new Error(`${task} has no steps`);
  const names = steps.map((step) => step.name);
  for (const step of steps) {
    const where = `${task}, step \`${step.name}\``;
    if (step.name === "") throw new Error(`${task}: a step needs a name`);
    if (names.indexOf(step.name) !== names.lastIndexOf(step.name)) {
      throw new Error(`${where}: there are two steps of that name`);
    }
    if (!Number.isInteger(step.retryLimit) || step.retryLimit < 1) {
      throw new Error(
        `${where}: retryLimit counts attempts, expected 1 or more, got ${step.retryLimit}`,
      );
    }
    if (step.timeoutMs !== null && !(step.timeoutMs > 0)) {
      throw new Error(`${where}: expected timeoutMs over 0, got ${step.timeoutMs}`);
    }
    for (const wanted of step.dependsOn) {
      if (names.includes(wanted)) continue;
      throw new Error(
        `${where} depends on \`${wanted}\`, which is not a step (steps: ${names.join(", ")})`,
      );
    }
  }
  refuseCycle(task, steps);
}

function refuseCycle(task: string, steps: readonly StepDefinitionParts[]): void {
  const open = new Map(steps.map((step) => [step.name, step.dependsOn]));
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const [name, dependsOn] of open) {
      if (dependsOn.some((wanted) => open.has(wanted))) continue;
      open.delete(name);
      isMoving = true;
    }
  }
  if (open.size > 0) {
    throw new Error(`${task}: these steps wait for each other: ${[...open.keys()].join(", ")}`);
  }
}
