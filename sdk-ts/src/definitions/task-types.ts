import type { StepContext } from "../context.js";
import type { DefinedHandler } from "../functional/dependencies.js";
import type { Jsonified, MaybeSchema } from "../functional/options.js";
import type { SchemaOutput, StandardSchema } from "../functional/standard-schema.js";
import type { StepHandlerClass } from "../handler.js";

type Fields = Readonly<Record<string, unknown>>;

/** What every step may say besides how it runs. */
export interface StepSettings<Names extends string = string> {
  /** Steps that must be complete before; their results are arguments of `run`, by name. */
  readonly dependsOn?: readonly Names[];
  readonly description?: string;
  /** Default true. */
  readonly retryable?: boolean;
  /** Attempts in all; default 3. */
  readonly retryLimit?: number;
  /** Milliseconds. The template counts whole seconds: a shorter limit becomes the next longer one. */
  readonly timeoutMs?: number;
  /** The handler's `context.stepConfig`. */
  readonly config?: Fields;
  /** Further keys of the template's step: `type`, `result_schema`, `publishes_events`, ... */
  readonly template?: Fields;
}

type InputOf<In> = In extends StandardSchema ? SchemaOutput<In> : Fields;

/** What a step's function receives: the task's context, and the results it depends on by their steps' names. */
export type StepArgs<In, Results, Names extends keyof Results> = {
  readonly input: InputOf<In>;
  readonly context: StepContext;
  /** Aborts when the step should stop. */
  readonly signal: AbortSignal;
} & { readonly [K in Names]: Results[K] };

/** As the result reads for dependents: through JSON, scalars and arrays under `result`. */
export type StepResultOf<Source> = Source extends StandardSchema
  ? Stored<SchemaOutput<Source>>
  : Source extends DefinedHandler<infer Output>
    ? Output
    : unknown;

/** What dependents get of a function that returned `R`. */
export type Stored<R> = unknown extends R
  ? unknown
  : R extends string | number | boolean | readonly unknown[]
    ? { result: Jsonified<R> }
    : R extends null | undefined
      ? Record<never, never>
      : Jsonified<R>;

/** One step of the object form. `Source` says what its result is: the `output` schema, or the handler. */
export type StepSpec<In, Sources, Source, Names extends keyof Sources> = StepSettings<
  Names & string
> &
  (
    | {
        /** Checks what `run` returns, and types the result for dependents. */
        readonly output?: Source;
        readonly run: (
          args: StepArgs<In, { [K in keyof Sources]: StepResultOf<Sources[K]> }, Names>,
        ) => unknown;
        readonly handler?: never;
      }
    | {
        /** A handler that exists already; a string names one that another process has. */
        readonly handler: Source & (DefinedHandler<never> | StepHandlerClass | string);
        readonly run?: never;
        readonly output?: never;
      }
  );

export type StepSpecs<In, Sources, Dependencies> = {
  readonly [K in keyof Sources]: StepSpec<
    In,
    Sources,
    Sources[K],
    K extends keyof Dependencies ? Dependencies[K] & keyof Sources : never
  >;
};

/** Collects steps one after the other; each may depend on those before it. */
export interface TaskSteps<In, Results> {
  step<Name extends string, R>(
    name: Name,
    run: (args: StepArgs<In, Results, never>) => R | Promise<R>,
  ): TaskSteps<In, Results & { readonly [K in Name]: Stored<R> }>;
  step<Name extends string, const Names extends keyof Results & string = never, R = unknown>(
    name: Name,
    settings: StepSettings<Names>,
    run: (args: StepArgs<In, Results, Names>) => R | Promise<R>,
  ): TaskSteps<In, Results & { readonly [K in Name]: Stored<R> }>;
  /** A handler that exists already. */
  use<Name extends string, Output, const Names extends keyof Results & string = never>(
    name: Name,
    handler: DefinedHandler<Output>,
    settings?: StepSettings<Names>,
  ): TaskSteps<In, Results & { readonly [K in Name]: Output }>;
}

export interface TaskSettings<In extends MaybeSchema> {
  readonly name: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Semver; default `0.1.0`. */
  readonly version?: string;
  readonly description?: string;
  /** Checks the task's context in every step, and types it. With a JSON Schema of its own, also when a task is created. */
  readonly input?: In;
  /** JSON Schema of the context, for schemas that cannot tell theirs. */
  readonly inputSchema?: Fields;
  /** Further keys of the template. */
  readonly template?: Fields;
}
