import { setTimeout as sleepFor } from "node:timers/promises";
import { StepCancelledError, type StepContext } from "@tasker-core/sdk";

/** Waits until the step is asked to stop, and says why; null when nobody asks within half a minute. */
export async function untilTold({ signal }: StepContext): Promise<string | null> {
  try {
    await sleepFor(30_000, undefined, { signal });
    return null;
  } catch {
    return signal.reason instanceof StepCancelledError ? signal.reason.reason : null;
  }
}
