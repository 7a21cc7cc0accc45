import type { HandlerEvent, StepFailure, StepSuccess } from "../channels/index.js";
import type { EventCondition } from "../model/index.js";

/**
 * Whether a declared event is due. Failures are told apart by `metadata.retryable` of the result, which says what kind of
 * failure it is; whether attempts are left is another question.
 */
export function isConditionMet(
  condition: EventCondition,
  outcome: StepSuccess | StepFailure,
): boolean {
  switch (condition) {
    case "always":
      return true;
    case "success":
      return outcome.outcome === "success";
    case "failure":
      return outcome.outcome === "failure";
    case "retryable_failure":
      return outcome.outcome === "failure" && outcome.retryable;
    case "permanent_failure":
      return outcome.outcome === "failure" && !outcome.retryable;
  }
}

/** What publishers are shown of a step execution result; a result that is no object is no payload of its own. */
export function readEventPayload(resultJson: string): {
  readonly result: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
} {
  const { result, metadata } = JSON.parse(resultJson) as {
    readonly result: unknown;
    readonly metadata: Record<string, unknown>;
  };
  const isObject = typeof result === "object" && result !== null && !Array.isArray(result);
  return { result: isObject ? (result as Record<string, unknown>) : { value: result }, metadata };
}

/** Whether an event that was made for one way of ending fits how the step has ended. */
export function isOn(on: HandlerEvent["on"], { outcome }: StepSuccess | StepFailure): boolean {
  return on === "always" || on === outcome;
}
