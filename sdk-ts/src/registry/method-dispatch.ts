import type { StepContext } from "../context.js";
import type { ExecutableHandler } from "../handler.js";
import type { StepHandlerResult } from "../result.js";
import { MethodDispatchError } from "./errors.js";

type Method = (context: StepContext) => Promise<StepHandlerResult>;

/** Runs another method of a handler in place of `call`. */
export class MethodDispatchWrapper implements ExecutableHandler {
  readonly handler: ExecutableHandler;
  readonly targetMethod: string;
  readonly #method: Method;

  /** @throws MethodDispatchError when the handler has no such method. */
  constructor(handler: ExecutableHandler, targetMethod: string) {
    const method = methodOf(handler, targetMethod);
    if (method === null) throw new MethodDispatchError(handler.name, targetMethod);
    this.handler = handler;
    this.targetMethod = targetMethod;
    this.#method = method;
  }

  static canDispatch(handler: ExecutableHandler, method: string): boolean {
    return methodOf(handler, method) !== null;
  }

  get name(): string {
    return this.handler.name;
  }

  call(context: StepContext): Promise<StepHandlerResult> {
    return this.#method.call(this.handler, context);
  }

  unwrap(): ExecutableHandler {
    return this.handler;
  }
}

function methodOf(handler: ExecutableHandler, name: string): Method | null {
  // What every object has (`constructor`, `toString`) is no step method.
  if (name in Object.prototype) return null;
  const method = (handler as unknown as Record<string, unknown>)[name];
  return typeof method === "function" ? (method as Method) : null;
}
