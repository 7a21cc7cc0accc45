import type { StepContext } from "../context.js";
import { PermanentError } from "../errors.js";
import type { StepHandlerClass } from "../handler.js";
import {
  describeIssues,
  type SchemaOutput,
  type StandardSchema,
  validate,
} from "./standard-schema.js";

/** A handler made by `defineHandler`; carries the type that steps depending on it receive. */
export interface DefinedHandler<Output = unknown> extends StepHandlerClass {
  /** Type only: never present at run time. */
  readonly "~output"?: Output;
}

/** A step another step reads; made by {@link from}, {@link optional} and {@link all}. */
export interface DependencyRef<Value = unknown> {
  readonly stepName: string;
  readonly whenMissing: "fail" | "null";
  /** `all`: every ancestor whose name starts with `stepName`. */
  readonly match: "name" | "prefix";
  readonly schema: StandardSchema | null;
  /** Type only: never present at run time. */
  readonly "~output"?: Value;
}

/**
 * What may stand in `depends`: a step's name (the value is `unknown`, null when missing), a defined handler (the
 * step has the handler's name), or a reference.
 */
export type Dependency = string | DefinedHandler<unknown> | DependencyRef<unknown>;

/** The type a handler receives for a dependency. */
export type DependencyValue<D> = D extends string
  ? unknown
  : D extends { readonly "~output"?: infer Value }
    ? Value
    : unknown;

/**
 * Reads the result of the step named `stepName`, typed by the handler that runs it, or by a schema when that
 * handler is written in another language; a schema also checks the result.
 *
 * Without `stepName` the step has the handler's own name: `orders.validate` is looked for under that name, then
 * as `validate`.
 */
export function from<Output>(
  handler: DefinedHandler<Output>,
  stepName?: string,
): DependencyRef<Output>;
export function from<S extends StandardSchema>(
  schema: S,
  stepName: string,
): DependencyRef<SchemaOutput<S>>;
export function from(source: DefinedHandler | StandardSchema, stepName?: string): DependencyRef {
  const schema = "~standard" in source ? source : null;
  const name = stepName ?? ("handlerName" in source ? source.handlerName : "");
  return { stepName: name, whenMissing: "fail", match: "name", schema };
}

/** The same dependency, null when the step has no result: for joins after a decision. */
export function optional<Value>(
  dependency: DefinedHandler<Value> | DependencyRef<Value>,
): DependencyRef<Value | null> {
  const { stepName, match, schema } = refOf(dependency);
  return { stepName, match, schema, whenMissing: "null" };
}

/** Results of all ancestors whose names start with `prefix`, such as the workers of a batch. */
export function all<Output>(
  _handler: DefinedHandler<Output>,
  prefix: string,
): DependencyRef<Output[]> {
  return { stepName: prefix, whenMissing: "null", match: "prefix", schema: null };
}

export function refOf(dependency: Dependency): DependencyRef {
  if (typeof dependency === "string") {
    return { stepName: dependency, whenMissing: "null", match: "name", schema: null };
  }
  return "handlerName" in dependency ? from(dependency) : dependency;
}

/**
 * @throws PermanentError when a required dependency is not among the step's ancestors: the template and the
 *   handler disagree, and no retry changes that.
 */
export function readDependency(
  ref: DependencyRef,
  param: string,
  context: StepContext,
): unknown | Promise<unknown> {
  if (ref.match === "prefix") return context.getAllDependencyResults(ref.stepName);
  const value = context.getDependencyResult(ref.stepName) ?? lastSegment(ref, context);
  if (value === null) {
    if (ref.whenMissing === "null") return null;
    throw missing(ref, param, context);
  }
  return ref.schema === null ? value : checked(ref.schema, value, ref, context);
}

function lastSegment(ref: DependencyRef, context: StepContext): unknown {
  const dot = ref.stepName.lastIndexOf(".");
  return dot === -1 ? null : context.getDependencyResult(ref.stepName.slice(dot + 1));
}

async function checked(
  schema: StandardSchema,
  value: unknown,
  ref: DependencyRef,
  context: StepContext,
): Promise<unknown> {
  const validation = await validate(schema, value);
  if (validation.ok) return validation.value;
  throw new PermanentError(
    `Step "${context.event.workflowStep.name}": the result of "${ref.stepName}" does not match its schema: ${describeIssues(validation.issues)}`,
    { issues: validation.issues },
    { errorCode: "DEPENDENCY_INVALID" },
  );
}

function missing(ref: DependencyRef, param: string, context: StepContext): PermanentError {
  const known = context.getDependencyResultKeys().join(", ") || "none";
  return new PermanentError(
    `Step "${context.event.workflowStep.name}": depends.${param} reads step "${ref.stepName}", which has no result among the step's ancestors (${known}). ` +
      `Add it to the template's dependencies, name the step with from(handler, "step_name"), or wrap it in optional().`,
    {},
    { errorCode: "DEPENDENCY_MISSING" },
  );
}
