import { createHandlerClass } from "../functional/define.js";
import { type Dependency, type DependencyRef, refOf } from "../functional/dependencies.js";
import type { HandlerOptions, MaybeSchema } from "../functional/options.js";
import type { StandardSchema } from "../functional/standard-schema.js";
import type { StepHandlerClass } from "../handler.js";
import { registry } from "./registry.js";
import { type StepDefinitionParts, TaskDefinition } from "./task-definition.js";
import type { StepSettings, StepSpecs, TaskSettings, TaskSteps } from "./task-types.js";

/**
 * Defines a task and its steps; the worker that loads the file registers it like a YAML template.
 *
 * ```ts
 * export const order = defineTask({
 *   name: "order", namespace: "shop", version: "1.0.0", input: Order,
 *   steps: (task) =>
 *     task
 *       .step("validate", ({ input }) => ({ total: sum(input.items) }))
 *       .step("charge", { dependsOn: ["validate"], retryLimit: 5 }, ({ input, validate }) => pay(input.card, validate.total)),
 * });
 * ```
 *
 * Results are typed by what the functions return. `steps` may also be an object by step name; there, an `output` schema
 * or a `handler` made by `defineHandler` types the result.
 *
 * @throws Error naming the step and what is wrong: an unknown dependency, a cycle, a limit out of range
 */
export function defineTask<In extends MaybeSchema = undefined>(
  task: TaskSettings<In> & {
    readonly steps: (task: TaskSteps<In, Record<never, never>>) => TaskSteps<In, never>;
  },
): TaskDefinition;
export function defineTask<
  Sources,
  Dependencies extends { readonly [K in keyof Sources]?: keyof Sources },
  In extends MaybeSchema = undefined,
>(
  task: TaskSettings<In> & { readonly steps: StepSpecs<In, Sources, Dependencies> },
): TaskDefinition;
export function defineTask(
  task: TaskSettings<MaybeSchema> & {
    readonly steps: ((task: never) => unknown) | Readonly<Record<string, unknown>>;
  },
): TaskDefinition {
  const { name, namespace = "default", version = "0.1.0", input } = task;
  const collector = new StepCollector(`${namespace}.${name}`, version, input);
  if (typeof task.steps === "function") task.steps(collector as never);
  else {
    for (const [step, spec] of Object.entries(task.steps)) collector.add(step, spec as AnySpec);
  }
  const definition = new TaskDefinition({
    name,
    namespace,
    version,
    description: task.description ?? null,
    inputSchema: task.inputSchema ?? jsonSchemaOf(input),
    template: task.template ?? {},
    steps: collector.steps,
  });
  registry.register(definition);
  return definition;
}

interface AnySpec extends StepSettings {
  readonly run?: (args: never) => unknown;
  readonly output?: StandardSchema;
  readonly handler?: StepHandlerClass | string;
}

class StepCollector {
  readonly steps: StepDefinitionParts[] = [];
  readonly #prefix: string;
  readonly #version: string;
  readonly #input: MaybeSchema;

  constructor(prefix: string, version: string, input: MaybeSchema) {
    this.#prefix = prefix;
    this.#version = version;
    this.#input = input;
  }

  step(name: string, ...rest: unknown[]): this {
    const [settings, run] = rest.length === 1 ? [{}, rest[0]] : rest;
    this.add(name, { ...(settings as StepSettings), run: run as (args: never) => unknown });
    return this;
  }

  use(name: string, handler: StepHandlerClass, settings: StepSettings = {}): this {
    this.add(name, { ...settings, handler });
    return this;
  }

  add(name: string, spec: AnySpec): void {
    const { handler } = spec;
    const handlerClass =
      typeof handler === "string" ? null : (handler ?? this.#handlerFor(name, spec));
    this.steps.push({
      name,
      callable: typeof handler === "string" ? handler : handlerClass!.handlerName,
      dependsOn: spec.dependsOn ?? [],
      retryable: spec.retryable ?? true,
      retryLimit: spec.retryLimit ?? 3,
      timeoutMs: spec.timeoutMs ?? null,
      description: spec.description ?? null,
      config: spec.config ?? {},
      template: spec.template ?? {},
      handlerClass,
    });
  }

  // Named after task and version: two versions of a task live side by side, each with functions of its own.
  #handlerFor(step: string, spec: AnySpec): StepHandlerClass {
    const { run, output } = spec;
    if (typeof run !== "function") {
      throw new Error(`Task ${this.#prefix}, step \`${step}\`: expected \`run\` or \`handler\``);
    }
    const depends: Record<string, Dependency> = {};
    for (const name of spec.dependsOn ?? []) depends[name] = byName(name);
    const options: HandlerOptions = {
      version: this.#version,
      depends,
      ...(this.#input === undefined ? {} : { input: this.#input }),
      ...(output === undefined ? {} : { output }),
    };
    const hasInput = this.#input !== undefined;
    return createHandlerClass({
      name: `${this.#prefix}.${step}@${this.#version}`,
      options,
      capabilities: ["process"],
      ...(hasInput ? {} : { extras: (context) => ({ input: context.inputData }) }),
      fn: run,
    });
  }
}

function byName(stepName: string): DependencyRef {
  return { ...refOf(stepName), whenMissing: "fail" };
}

/** Of schemas that can tell: Standard JSON Schema, as Zod 4 and others implement it. Null when they cannot. */
function jsonSchemaOf(schema: MaybeSchema): Record<string, unknown> | null {
  const standard = schema?.["~standard"] as
    | { jsonSchema?: { input(options: { target: string }): Record<string, unknown> } }
    | undefined;
  try {
    return standard?.jsonSchema?.input({ target: "draft-2020-12" }) ?? null;
  } catch {
    return null; // a schema with parts that JSON Schema cannot say, such as a transformation
  }
}
