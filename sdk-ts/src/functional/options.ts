import type { StepContext } from "../context.js";
import type { StepHandlerResult } from "../result.js";
import type { Dependency, DependencyValue } from "./dependencies.js";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./standard-schema.js";

export type Depends = Readonly<Record<string, Dependency>>;
export type Inputs = Readonly<Record<string, string>>;
export type MaybeSchema = StandardSchema | undefined;
export type None = Record<never, never>;

export interface HandlerOptions<
  In extends MaybeSchema = MaybeSchema,
  Out extends MaybeSchema = MaybeSchema,
  D extends Depends = Depends,
  I extends Inputs = Inputs,
> {
  /** Checks the task's context; the handler gets what the schema makes of it as `input`. */
  readonly input?: In;
  /** Checks what the handler returns; what the schema makes of it is the step's result. */
  readonly output?: Out;
  /** Parameter name to the step it reads. */
  readonly depends?: D;
  /** Parameter name to a key of the task's context; `undefined` when missing. */
  readonly inputs?: I;
  /** Default `1.0.0`. */
  readonly version?: string;
}

/** The one object a handler function receives. */
export type HandlerArgs<
  In extends MaybeSchema = undefined,
  D extends Depends = Depends,
  I extends Inputs = Inputs,
> = {
  readonly context: StepContext;
  /** Same as `context.signal`: aborts when the step should stop. */
  readonly signal: AbortSignal;
} & (In extends StandardSchema ? { readonly input: SchemaOutput<In> } : unknown) & {
    readonly [K in keyof D]: DependencyValue<D[K]>;
  } & { readonly [K in keyof I]: unknown };

export type HandlerFn<Args = HandlerArgs, Result = unknown> = (
  args: Args,
) => Result | Promise<Result>;

/**
 * A handler's function: it returns what the output schema accepts, or anything (`R`, inferred) without one. The
 * function as a whole is conditional, not its return type: only so does the compiler keep `"open"` a literal.
 */
export type ReturningFn<Args, Out extends MaybeSchema, R> = Out extends StandardSchema
  ? (
      args: Args,
    ) => SchemaInput<Out> | StepHandlerResult | Promise<SchemaInput<Out> | StepHandlerResult>
  : (args: Args) => R | Promise<R>;

/** What dependents of a handler receive that returned `R`: through JSON, scalars and arrays under `result`. */
export type StoredOutput<Out extends MaybeSchema, R> = Out extends StandardSchema
  ? Wrapped<Jsonified<SchemaOutput<Out>>>
  : Wrapped<Jsonified<R>>;

type Scalar = string | number | boolean | readonly unknown[];
type Wrapped<T> = unknown extends T
  ? unknown
  : T extends StepHandlerResult
    ? unknown
    : T extends Scalar
      ? { result: T }
      : T extends null | undefined
        ? None
        : T;

/** A value after `JSON.stringify` and `JSON.parse`: a `Date` is a string. */
export type Jsonified<T> = unknown extends T
  ? unknown
  : T extends StepHandlerResult
    ? T
    : T extends { toJSON(): infer J }
      ? J
      : T extends string | number | boolean | null | undefined
        ? T
        : T extends readonly (infer Item)[]
          ? Jsonified<Item>[]
          : T extends object
            ? { [K in keyof T]: Jsonified<T[K]> }
            : never;
