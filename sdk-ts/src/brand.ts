/**
 * Two copies of this package can meet in one process (the worker's own and the handler project's), so what
 * crosses between them is recognised by a mark in the global symbol registry, never by its prototype.
 */
const PREFIX = "@tasker-core/sdk/";

export const STEP_HANDLER = Symbol.for(`${PREFIX}StepHandler`);
export const STEP_HANDLER_RESULT = Symbol.for(`${PREFIX}StepHandlerResult`);
export const PERMANENT_ERROR = Symbol.for(`${PREFIX}PermanentError`);
export const RETRYABLE_ERROR = Symbol.for(`${PREFIX}RetryableError`);
export const STEP_CANCELLED = Symbol.for(`${PREFIX}StepCancelledError`);
export const EVENT_SUBSCRIBER = Symbol.for(`${PREFIX}EventSubscriber`);
export const DOMAIN_EVENT_PUBLISHER = Symbol.for(`${PREFIX}BasePublisher`);
export const DOMAIN_EVENT_SUBSCRIBER = Symbol.for(`${PREFIX}BaseSubscriber`);
export const TASK_DEFINITION = Symbol.for(`${PREFIX}TaskDefinition`);
export const DECISION = Symbol.for(`${PREFIX}Decision`);

export function hasBrand(value: unknown, brand: symbol): boolean {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    (value as Record<symbol, unknown>)[brand] === true
  );
}
