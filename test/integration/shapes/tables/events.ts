import { completes, errorType, fails, type Shape } from "../shape.js";

const CONDITIONS = ["success", "failure", "retryable_failure", "permanent_failure", "always"];
const MODES = ["durable", "fast", "broadcast"];

const DECLARED = MODES.flatMap((mode) =>
  CONDITIONS.map(
    (condition) =>
      `      - { name: ${mode}.${condition}, description: d, schema: { type: object }, condition: ${condition}, delivery_mode: ${mode} }`,
  ),
).join("\n");

const publishing = (name: string, word: string, cases: Shape["cases"]): Shape => ({
  name,
  steps: `  - name: only
    handler: { callable: $${word} }
    retry: { max_attempts: 2, backoff: none }
    publishes_events:
${DECLARED}`,
  cases,
});

const under = (...conditions: string[]) =>
  MODES.flatMap((mode) => conditions.map((condition) => `${mode}.${condition}`));
const FAILED_ONCE = under("failure", "retryable_failure", "always");
const SUCCEEDED = under("success", "always");

export const EVENTS: readonly Shape[] = [
  publishing("events_flaky", "flaky", [
    {
      title: "of a success",
      input: () => ({ fail_times: 0 }),
      state: "complete",
      steps: () => ({ only: completes({ failures: 0, was_last: false }) }),
      events: SUCCEEDED,
    },
    {
      title: "of a failure that is retried, and the success after it",
      input: () => ({ fail_times: 1 }),
      state: "complete",
      steps: () => ({ only: completes({ failures: 1, was_last: true }, 2) }),
      events: [...FAILED_ONCE, ...SUCCEEDED],
    },
    {
      title: "of every failure of a step that gives up",
      input: () => ({ fail_times: 2 }),
      state: "blocked_by_failures",
      steps: (speakerOf) => ({
        only: fails(errorType(speakerOf("only"), "retryable"), "failure 2", { attempts: 2 }),
      }),
      events: [...FAILED_ONCE, ...FAILED_ONCE],
    },
  ]),
  publishing("events_refuse", "refuse", [
    {
      title: "of a permanent failure",
      input: () => ({}),
      state: "blocked_by_failures",
      steps: (speakerOf) => ({
        only: fails(errorType(speakerOf("only"), "permanent"), "the card was declined", {
          code: "DECLINED",
        }),
      }),
      events: under("failure", "permanent_failure", "always"),
    },
  ]),
];
