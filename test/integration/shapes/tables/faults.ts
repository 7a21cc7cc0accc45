import { expect } from "vitest";
import { completes, errorType, fails, type Shape, type ShapeCase, WAITS } from "../shape.js";

const retrying = (name: string, retry: string, cases: readonly ShapeCase[]): Shape => ({
  name,
  steps: `  - { name: try, handler: { callable: $flaky }, retry: { backoff: none, ${retry} } }
  - { name: after, handler: { callable: $approve }, dependencies: [try] }`,
  cases,
});

const AFTER = { after: completes({ by: "after", amount: 1 }) };

/** The step fails `failures` times, then succeeds. */
function succeeding(failures: number, maxAttempts: number): ShapeCase {
  return {
    title: `succeeds at attempt ${failures + 1} of ${maxAttempts}`,
    input: () => ({ amount: 1, fail_times: failures }),
    state: "complete",
    steps: () => ({
      try: completes({ failures, was_last: failures >= maxAttempts - 1 }, failures + 1),
      ...AFTER,
    }),
  };
}

function exhausted(attempts: number): ShapeCase {
  return {
    title: `gives up after attempt ${attempts}`,
    input: () => ({ amount: 1, fail_times: 100 }),
    state: "blocked_by_failures",
    steps: (speakerOf) => ({
      try: fails(errorType(speakerOf("try"), "retryable"), `failure ${attempts}`, { attempts }),
      after: WAITS,
    }),
  };
}

const failing = (word: "refuse" | "crash"): Shape => ({
  name: word,
  steps: `  - { name: try, handler: { callable: $${word} }, retry: { max_attempts: 2, backoff: none } }
  - { name: after, handler: { callable: $approve }, dependencies: [try] }`,
  cases: [
    {
      title: word === "refuse" ? "is not tried again" : "is tried again, to its limit",
      input: () => ({ amount: 1 }),
      state: "blocked_by_failures",
      steps: (speakerOf) => ({
        try:
          word === "refuse"
            ? fails(errorType(speakerOf("try"), "permanent"), "the card was declined", {
                code: "DECLINED",
              })
            : fails(errorType(speakerOf("try"), "crash"), expect.stringMatching(/./), {
                attempts: 2,
              }),
        after: WAITS,
      }),
    },
  ],
});

const items = (every: number) => ({ items: 10, every });
const itemsDone = (starts: number[], attempts = 1) => ({
  sum: completes({ sum: 55, starts, retry_count: attempts - 1 }, attempts),
});

export const CHECKPOINTS: Shape = {
  name: "checkpoints",
  steps: `  - { name: sum, handler: { callable: $items }, retry: { max_attempts: 2, backoff: none } }`,
  cases: [
    {
      title: "ten items, three at a time, in one attempt",
      input: () => items(3),
      state: "complete",
      steps: () => itemsDone([0, 3, 6, 9]),
    },
    {
      title: "nothing to yield",
      input: () => items(10),
      state: "complete",
      steps: () => itemsDone([0]),
    },
    {
      title: "a failure in the middle is retried from the cursor and the sums stored before it",
      input: () => ({ ...items(3), fail_at: 6 }),
      state: "complete",
      steps: () => itemsDone([0, 3, 6, 9], 2),
    },
    {
      title: "a failure before the first yield is retried from the start",
      input: () => ({ ...items(3), fail_at: 0 }),
      state: "complete",
      steps: () => itemsDone([0, 3, 6, 9], 2),
    },
  ],
};

export const FAULTS: readonly Shape[] = [
  retrying("retry_three", "max_attempts: 3", [
    succeeding(0, 3),
    succeeding(1, 3),
    succeeding(2, 3),
    exhausted(3),
  ]),
  retrying("retry_one", "max_attempts: 1", [succeeding(0, 1), exhausted(1)]),
  retrying("retry_zero", "max_attempts: 0", [exhausted(1)]),
  retrying("retry_off", "max_attempts: 3, retryable: false", [succeeding(0, 3), exhausted(1)]),
  failing("refuse"),
  failing("crash"),
  CHECKPOINTS,
];
