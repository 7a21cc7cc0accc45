import type { StepContext } from "../context.js";
import { ErrorType } from "../error-type.js";
import { isStepHandlerResult, StepHandlerResult, wrapReturnValue } from "../result.js";
import { type DependencyRef, readDependency, refOf } from "./dependencies.js";
import type { HandlerOptions } from "./options.js";
import { describeIssues, type StandardSchema, validate } from "./standard-schema.js";

/** The one object a handler function receives; declared parameters become its own properties. */
export class BoundArgs {
  readonly context: StepContext;

  constructor(context: StepContext) {
    this.context = context;
  }

  // On the prototype: most handlers never look, and a signal costs more than the rest of the call.
  get signal(): AbortSignal {
    return this.context.signal;
  }
}

type Bound = BoundArgs | StepHandlerResult;
/** Fills a handler's arguments from a step, or answers with the failure that forbids running it. */
export type ArgumentBinder = (context: StepContext) => Bound | Promise<Bound>;

type Named<T> = readonly (readonly [param: string, value: T])[];

/** @throws Error when an option takes a name that every handler already receives. */
export function argumentBinder(name: string, options: HandlerOptions): ArgumentBinder {
  refuseClashes(name, options);
  const inputs = Object.entries(options.inputs ?? {});
  const refs = Object.entries(options.depends ?? {}).map(
    ([param, dependency]) => [param, refOf(dependency)] as const,
  );
  const schema = options.input;
  const isPlain = schema === undefined && refs.every(([, ref]) => ref.schema === null);
  return isPlain
    ? (context) => bindPlain(context, inputs, refs)
    : (context) => bindChecked(name, schema, context, inputs, refs);
}

function bindPlain(
  context: StepContext,
  inputs: Named<string>,
  refs: Named<DependencyRef>,
): BoundArgs {
  const args = new BoundArgs(context);
  for (const [param, key] of inputs) assign(args, param, context.getInput(key));
  for (const [param, ref] of refs) assign(args, param, readDependency(ref, param, context));
  return args;
}

async function bindChecked(
  name: string,
  schema: StandardSchema | undefined,
  context: StepContext,
  inputs: Named<string>,
  refs: Named<DependencyRef>,
): Promise<Bound> {
  const args = bindPlain(context, inputs, []);
  for (const [param, ref] of refs) {
    assign(args, param, await readDependency(ref, param, context));
  }
  if (schema === undefined) return args;
  const validation = await validate(schema, context.inputData);
  if (!validation.ok) {
    return StepHandlerResult.failure(
      `The task's context does not fit handler "${name}": ${describeIssues(validation.issues)}`,
      ErrorType.VALIDATION_ERROR,
      false,
      { issues: validation.issues },
    );
  }
  assign(args, "input", validation.value);
  return args;
}

/**
 * A success whose value went through the output schema, wrapped like any returned value; failures pass unchanged.
 */
export async function checkOutput(
  name: string,
  schema: StandardSchema,
  returned: unknown,
  result: StepHandlerResult,
): Promise<StepHandlerResult> {
  // A yielded checkpoint is no result yet.
  if (!result.success || result.metadata["checkpoint_yield"] === true) return result;
  const validation = await validate(
    schema,
    isStepHandlerResult(returned) ? returned.result : returned,
  );
  if (!validation.ok) {
    return StepHandlerResult.failure(
      `Handler "${name}" returned a value that does not fit its output schema: ${describeIssues(validation.issues)}`,
      "invalid_result",
      false,
      { issues: validation.issues },
    );
  }
  const { metadata, orchestrationMetadata } = result;
  const { result: value } = wrapReturnValue(validation.value);
  return new StepHandlerResult({ success: true, result: value, metadata, orchestrationMetadata });
}

function assign(args: BoundArgs, param: string, value: unknown): void {
  // These two have setters or getters on the prototype, which plain assignment would meet.
  if (param === "signal" || param === "__proto__") {
    Object.defineProperty(args, param, { value, enumerable: true });
  } else (args as unknown as Record<string, unknown>)[param] = value;
}

function refuseClashes(name: string, options: HandlerOptions): void {
  const params = [...Object.keys(options.depends ?? {}), ...Object.keys(options.inputs ?? {})];
  for (const param of params) {
    if (param === "context" || (param === "input" && options.input !== undefined)) {
      throw new Error(
        `Handler "${name}": a dependency or input cannot be called "${param}", every handler receives that already; rename the parameter`,
      );
    }
  }
}
