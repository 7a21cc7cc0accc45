import type { Shape } from "../shape.js";

/** Shapes without cases of their own: tests act on them while they run. */
const shape = (name: string, steps: string): Shape => ({ name, steps, cases: [] });

const AFTER_NAP = "handler: { callable: $add, initialization: { from: [nap], plus: 1 } }";

export const NAPPING = shape(
  "napping",
  `  - { name: nap, handler: { callable: $sleep } }
  - { name: after, handler: { callable: $approve }, dependencies: [nap] }`,
);

/** The step behind the nap reads its result. */
export const AWAITED = shape(
  "awaited",
  `  - { name: nap, handler: { callable: $sleep } }
  - { name: after, ${AFTER_NAP}, dependencies: [nap] }`,
);

/** The last step adds one to the first one's value. */
export const GATED = shape(
  "gated",
  `  - { name: first, handler: { callable: $seed } }
  - { name: gate, handler: { callable: $gate }, dependencies: [first] }
  - { name: last, handler: { callable: $add, initialization: { from: [first], plus: 1 } }, dependencies: [gate] }`,
);

const DELAYS = {
  none: [0, 0, 0, 0],
  linear: [40, 80, 120, 160],
  exponential: [80, 160, 300, 300],
  fibonacci: [40, 80, 120, 200],
};

/** Base 40 s, cap 300 s: delays that pass only because the test moves them up. */
export const BACKOFFS = Object.entries(DELAYS).map(([strategy, seconds]) => ({
  strategy,
  seconds,
  shape: shape(
    `backoff_${strategy}`,
    `  - name: try
    handler: { callable: $flaky }
    retry: { max_attempts: 5, backoff: ${strategy}, backoff_base_ms: 40000, max_backoff_ms: 300000 }`,
  ),
}));

/** A long while between attempts. */
export const PATIENT = shape(
  "patient",
  `  - name: try
    handler: { callable: $flaky }
    retry: { max_attempts: 3, backoff: linear, backoff_base_ms: 3600000, max_backoff_ms: 3600000 }
  - { name: after, handler: { callable: $approve }, dependencies: [try] }`,
);

export const ACTED_ON: readonly Shape[] = [
  NAPPING,
  AWAITED,
  GATED,
  PATIENT,
  ...BACKOFFS.map((each) => each.shape),
];
