// Random programs. A program is plain data, so that it shrinks and prints well: its commands name their targets by
// number, modulo what there is when they run.

import fc from "fast-check";
import type { Command } from "./commands.js";
import type { ManualEvent, TemplateSpec, Verdict, WorkerNumber } from "./rules.js";

export interface Program {
  readonly template: TemplateSpec;
  readonly first: Extract<Command, { kind: "create" }>;
  readonly commands: readonly Command[];
}

const n = fc.nat(23);
const free = fc.nat(4);
const worker = fc.constantFrom<WorkerNumber>(0, 1);
const pick = fc.record({ n, isOld: weighted(false, true, 4) });
const picks = fc.array(pick, { minLength: 1, maxLength: 4 });

const template: fc.Arbitrary<TemplateSpec> = fc
  .record({
    /** So many of the last steps are made by plans. */
    later: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
    steps: fc.array(
      fc.record({
        mask: fc.nat(63),
        maxAttempts: fc.integer({ min: 1, max: 3 }),
        retryable: weighted(true, false, 6),
        backoffMs: fc.constantFrom(0, 1_000, 2_000),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  })
  .map(({ later, steps }) =>
    steps.map(({ mask, ...spec }, ordinal) => ({
      ...spec,
      isInitial: ordinal === 0 || ordinal < steps.length - later,
      dependencies: [...steps.keys()].filter((i) => i < ordinal && (mask & (1 << i)) !== 0),
    })),
  );

const create = fc.record({
  kind: fc.constant("create" as const),
  count: fc.integer({ min: 1, max: 3 }),
  free,
  worker,
});

const reports = fc.array(
  fc.record({
    n,
    isOld: weighted(false, true, 3),
    verdict: fc.constantFrom<Verdict>(0, 0, 0, 1, 1, 2),
    hintMs: fc.constantFrom(null, null, null, 500, 60_000),
    plan: fc.option(fc.record({ mask: fc.nat(63), workers: fc.nat(2), tolerated: fc.boolean() })),
  }),
  { minLength: 1, maxLength: 5 },
);

const report = fc.record({
  kind: fc.constant("report" as const),
  picks: reports,
  free,
  wakesTimers: fc.boolean(),
  worker,
});

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: create },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      free: fc.nat(5),
      limit: fc.integer({ min: 1, max: 8 }),
      worker,
    }),
  },
  { weight: 6, arbitrary: report },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wake" as const), free, worker }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("submit" as const), picks: reports, worker }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("process" as const),
      limit: fc.integer({ min: 1, max: 6 }),
      wakesTimers: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("checkpoint" as const), picks, worker }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 500, 1_000, 2_000, 9_999, 10_000, 10_001),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("release" as const),
      picks,
      isDeath: fc.boolean(),
      isSuspect: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("renew" as const), picks }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reconcile" as const),
      picks: fc.array(pick, { maxLength: 3 }),
      worker,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("close" as const),
      n,
      to: fc.constantFrom("cancelled" as const, "resolved_manually" as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("act" as const),
      n,
      isFailed: weighted(true, false, 2),
      event: fc.constantFrom<ManualEvent>("ResetForRetry", "ResolveManually", "CompleteManually"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("repair" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("lose" as const), n }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("duplicate" as const), n }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("insert" as const), n }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("lose_result" as const), n }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("duplicate_result" as const), n }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("insert_result" as const), n }) },
);

export const program: fc.Arbitrary<Program> = fc.record({
  template,
  first: create,
  // Without a size, arrays of the default one would be half as long.
  commands: fc.array(command, { maxLength: 34, size: "max" }),
});

function weighted<T>(usual: T, other: T, times: number): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: times, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constant(other) },
  );
}
