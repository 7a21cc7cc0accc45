import type { StepContext } from "../context.js";
import { StepHandler } from "../handler.js";
import { isStepHandlerResult, type StepHandlerResult, wrapReturnValue } from "../result.js";
import { resultOfFunctionError } from "../thrown.js";
import { argumentBinder, type BoundArgs, checkOutput } from "./bind.js";
import type { DefinedHandler } from "./dependencies.js";
import type { HandlerOptions } from "./options.js";

export interface FunctionDefinition {
  readonly name: string;
  readonly options: HandlerOptions;
  readonly capabilities: readonly string[];
  /** Arguments this kind of handler has beyond the declared ones. */
  readonly extras?: (context: StepContext) => Record<string, unknown>;
  /** Turns what the function returned into a result; the general wrapping when absent. */
  readonly finish?: (returned: unknown) => StepHandlerResult;
  readonly fn: unknown;
}

export const DEFAULT_VERSION = "1.0.0";

/** The class behind every `define…` function. */
export function createHandlerClass<Output>(definition: FunctionDefinition): DefinedHandler<Output> {
  const { name, options, extras } = definition;
  if (name === "") throw new Error("A handler needs a name: the template's handler.callable");
  const bind = argumentBinder(name, options);
  const finish = definition.finish ?? wrapReturnValue;
  const fn = definition.fn as (args: BoundArgs) => unknown;
  const capabilities = [...definition.capabilities];

  return class extends StepHandler {
    static override readonly handlerName = name;
    static override readonly handlerVersion = options.version ?? DEFAULT_VERSION;

    override get capabilities(): string[] {
      return capabilities;
    }

    async call(context: StepContext): Promise<StepHandlerResult> {
      try {
        const bound = bind(context);
        const args = bound instanceof Promise ? await bound : bound;
        if (isStepHandlerResult(args)) return args;
        if (extras !== undefined) Object.assign(args, extras(context));
        const returned = await fn(args);
        const result = finish(returned);
        if (options.output === undefined) return result;
        return await checkOutput(name, options.output, returned, result);
      } catch (error) {
        return resultOfFunctionError(error);
      }
    }
  };
}
