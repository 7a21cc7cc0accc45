import { STEP_HANDLER } from "./brand.js";
import type { StepContext } from "./context.js";
import { ErrorType } from "./error-type.js";
import { StepHandlerResult } from "./result.js";

/** What the engine needs of a handler; {@link StepHandler} is the usual way to have it. */
export interface ExecutableHandler {
  readonly name: string;
  call(context: StepContext): Promise<StepHandlerResult>;
}

/** A handler class as resolvers use it: constructed without arguments, once per execution. */
export interface StepHandlerClass {
  new (): ExecutableHandler;
  readonly handlerName: string;
  readonly handlerVersion: string;
}

/** Base of class handlers. Set `static handlerName` to the template's `handler.callable`. */
export abstract class StepHandler implements ExecutableHandler {
  static readonly handlerName: string = "";
  static readonly handlerVersion: string = "1.0.0";

  static get [STEP_HANDLER](): true {
    return true;
  }

  abstract call(context: StepContext): Promise<StepHandlerResult>;

  get name(): string {
    const type = this.constructor as typeof StepHandler;
    return type.handlerName || type.name;
  }

  get version(): string {
    return (this.constructor as typeof StepHandler).handlerVersion;
  }

  get capabilities(): string[] {
    return ["process"];
  }

  /** A JSON Schema of the step's configuration, or null for none. */
  configSchema(): Record<string, unknown> | null {
    return null;
  }

  protected success(result?: unknown, metadata?: Record<string, unknown>): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  protected failure(
    message: string,
    errorType: string = ErrorType.HANDLER_ERROR,
    retryable = true,
    metadata?: Record<string, unknown>,
    errorCode?: string,
  ): StepHandlerResult {
    return StepHandlerResult.failure(message, errorType, retryable, metadata, errorCode);
  }

  toString(): string {
    return `${this.constructor.name}(name=${this.name}, version=${this.version})`;
  }
}

/** A class with `static handlerName` whose instances have `call`, from whichever copy of the package. */
export function isStepHandlerClass(value: unknown): value is StepHandlerClass {
  if (typeof value !== "function") return false;
  const { handlerName, prototype } = value as {
    readonly handlerName?: unknown;
    readonly prototype?: { readonly call?: unknown };
  };
  const isNamed = typeof handlerName === "string" && handlerName !== "";
  return isNamed && typeof prototype?.call === "function";
}
