import type { FfiStepEvent } from "../ffi-event.js";
import type { ExecutableHandler } from "../handler.js";
import type { LogSink } from "../logger.js";
import type { HandlerDefinition } from "../registry/definition.js";
import { MethodDispatchWrapper } from "../registry/method-dispatch.js";
import type { HandlerRegistry } from "../registry.js";
import { failure } from "./encode-result.js";
import type { StepFailed } from "./outcome.js";

/** A handler ready to run, or the failure that says why there is none. */
export type Found = ExecutableHandler | StepFailed;

/**
 * Finds the handler a step event names; a promise only when an asynchronous resolver has to be asked.
 *
 * @throws whatever a resolver or a handler's constructor throws.
 */
export function findHandler(
  event: FfiStepEvent,
  registry: HandlerRegistry,
  log: LogSink,
): Found | Promise<Found> {
  const callable = event.stepDefinition.handlerCallable;
  if (callable === "") {
    const message = `Step "${event.workflowStep.name}" names no handler: its template needs handler.callable`;
    return failure(
      { kind: "handler_not_found", errorType: "permanent_error", message, retryable: false },
      0,
    );
  }
  const definition = definitionOf(event, registry, log);
  const resolution = registry.resolveNow(definition);
  const accept = (handler: ExecutableHandler | null): Found => {
    if (handler === null) return handlerNotFound(callable);
    warnAboutMethod(handler, definition, log);
    return handler;
  };
  return resolution instanceof Promise ? resolution.then(accept) : accept(resolution);
}

/** A resolver nobody registered is passed over: existing templates name some that TypeScript never had. */
function definitionOf(
  event: FfiStepEvent,
  registry: HandlerRegistry,
  log: LogSink,
): HandlerDefinition {
  const { handlerCallable, handlerMethod, handlerResolver, handlerInitialization } =
    event.stepDefinition;
  const isKnown = handlerResolver !== null && registry.getResolver(handlerResolver) !== undefined;
  if (handlerResolver !== null && !isKnown) {
    log("warn", "The template names a resolver that is not registered; asking all of them", {
      handler: handlerCallable,
      resolver: handlerResolver,
    });
  }
  return {
    callable: handlerCallable,
    method: handlerMethod,
    resolver: isKnown ? handlerResolver : null,
    initialization: handlerInitialization,
  };
}

function warnAboutMethod(
  handler: ExecutableHandler,
  { method, callable }: HandlerDefinition,
  log: LogSink,
): void {
  if (!method || method === "call" || handler instanceof MethodDispatchWrapper) return;
  log("warn", "The handler lacks the method its template names; running `call`", {
    handler: callable,
    method,
  });
}

function handlerNotFound(callable: string): StepFailed {
  return failure(
    {
      kind: "handler_not_found",
      errorType: "handler_not_found",
      message: `Handler not found: ${callable}`,
      retryable: false,
    },
    0,
  );
}
