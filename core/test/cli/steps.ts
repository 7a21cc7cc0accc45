import type { StepRow } from "../../src/lifecycle/task-queries.js";

/** A step as the database gives it; unnamed parts say nothing. */
export function step(
  ordinal: number,
  name: string,
  parts: Partial<Omit<StepRow, "ordinal" | "name">> = {},
): StepRow {
  return {
    ordinal,
    name,
    step_uuid: `00000000-0000-7000-8000-00000000000${ordinal}`,
    callable: name,
    state: "pending",
    attempts: 0,
    max_attempts: 3,
    dependencies: [],
    last_attempted_at: null,
    processed_at: null,
    next_retry_at: null,
    execution_ms: null,
    error_type: null,
    error_message: null,
    ...parts,
  };
}
