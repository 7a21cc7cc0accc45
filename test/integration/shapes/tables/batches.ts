import { expect } from "vitest";
import {
  completes,
  errorType,
  fails,
  type Shape,
  type ShapeCase,
  type StepEnd,
  WAITS,
} from "../shape.js";
import type { Speaker } from "../voices.js";

export const ROW_COUNT = 1_000;
/** 21 workers, the last one with 40 rows. Every form of analyzer divides 1 000 rows into the same shares of it. */
const BATCH_SIZE = 48;
/** Five workers. */
export const FEW_ROWS = 240;

export const rowOf = (id: number) => ({ id, amount: (id * 7) % 101 });

interface Share {
  readonly start: number;
  readonly end: number;
}
const sharesOf = (rows: number): Share[] =>
  Array.from({ length: Math.ceil(rows / BATCH_SIZE) }, (_, i) => ({
    start: i * BATCH_SIZE,
    end: Math.min((i + 1) * BATCH_SIZE, rows),
  }));
const idsOf = ({ start, end }: Share) =>
  Array.from({ length: end - start }, (_, i) => start + i + 1);
const amountOf = (share: Share) => idsOf(share).reduce((sum, id) => sum + rowOf(id).amount, 0);
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

const isTypescriptFunction = ({ language, form }: Speaker) =>
  language === "typescript" && form === "functional";

/** TypeScript's `defineBatchAnalyzer` counts from `batch_000`, everyone else from `001`. */
function workerName(analyzer: Speaker, index: number): string {
  const digits = (n: number) => String(n).padStart(3, "0");
  return isTypescriptFunction(analyzer)
    ? `process_batch_${digits(index)}`
    : `process_${digits(index + 1)}`;
}

function planned(analyzer: Speaker, rows: number): StepEnd {
  const cursor_configs = sharesOf(rows).map(({ start, end }, index) => ({
    batch_id: workerName(analyzer, index).slice("process_".length),
    start_cursor: start,
    end_cursor: end,
    batch_size: end - start,
  }));
  const worker_count = cursor_configs.length;
  const outcome = { worker_template_name: "process", worker_count, cursor_configs };
  return completes({
    batch_processing_outcome: { type: "create_batches", ...outcome, total_items: rows },
    // Python and Ruby repeat the figures beside the outcome.
    ...(analyzer.language === "typescript" ? {} : { worker_count, total_items: rows }),
  });
}

/** The rows of every share but the failed one. */
function counted(rows: number, failed: number | null = null): StepEnd {
  const shares = sharesOf(rows);
  const good = shares.filter((_, index) => index !== failed);
  return completes({
    worker_count: shares.length,
    scenario: "with_batches",
    rows: sum(good.map(({ start, end }) => end - start)),
    amount: sum(good.map(amountOf)),
  });
}

function workers(rows: number, speakerOf: (step: string) => Speaker, failed: number | null = null) {
  const analyzer = speakerOf("analyze");
  return Object.fromEntries(
    sharesOf(rows).map((share, index) => [
      workerName(analyzer, index),
      index === failed
        ? fails(errorType(speakerOf("process"), "permanent"), `row ${share.start} is broken`)
        : completes({ ids: idsOf(share), amount: amountOf(share) }),
    ]),
  );
}

/** The four steps of a batch; `dependencies` of its analyzer. */
const batchSteps = (strategy: string, parallelism: number, dependencies = "") => `  - name: analyze
    type: batchable
    handler: { callable: $analyze, initialization: { worker_template_name: process } }
    dependencies: [${dependencies}]
  - name: process
    type: batch_worker
    handler: { callable: $process }
    dependencies: [analyze]
    batch_config:
      { batch_size: ${BATCH_SIZE}, parallelism: ${parallelism}, cursor_field: id, worker_template: process, failure_strategy: ${strategy} }
  - { name: total, type: deferred_convergence, handler: { callable: $total }, dependencies: [process] }
`;

const batchShape = (strategy: string, parallelism: number, cases: readonly ShapeCase[]): Shape => ({
  name: `batch_${strategy}_${parallelism}`,
  steps: batchSteps(strategy, parallelism),
  cases,
});

const everyRow: ShapeCase = {
  title: "a thousand rows, each counted once, the last share smaller",
  input: ({ rows }) => ({ csv: rows, batch_size: BATCH_SIZE }),
  state: "complete",
  steps: (speakerOf) => ({
    analyze: planned(speakerOf("analyze"), ROW_COUNT),
    ...workers(ROW_COUNT, speakerOf),
    total: counted(ROW_COUNT),
  }),
};

const oneFails = (isInvestigated: boolean): ShapeCase => ({
  title: "the failure of one worker is left out, the rest converges",
  input: ({ fewRows }) => ({ csv: fewRows, batch_size: BATCH_SIZE, fail_at: 2 * BATCH_SIZE }),
  state: "complete",
  steps: (speakerOf) => ({
    analyze: planned(speakerOf("analyze"), FEW_ROWS),
    ...workers(FEW_ROWS, speakerOf, 2),
    total: counted(FEW_ROWS, 2),
  }),
  investigated: (speakerOf) => (isInvestigated ? [workerName(speakerOf("analyze"), 2)] : []),
});

/** With a parallelism of one, those before it are complete and those after it have not begun. */
const middleFails: ShapeCase = {
  title: "the failure of one worker cancels those whose turn has not come",
  input: ({ fewRows }) => ({ csv: fewRows, batch_size: BATCH_SIZE, fail_at: 2 * BATCH_SIZE }),
  state: "blocked_by_failures",
  steps: (speakerOf) => {
    const never = { state: "cancelled", attempts: 0, result: null, error: null };
    const trail = ["pending", "cancelled"];
    return {
      analyze: planned(speakerOf("analyze"), FEW_ROWS),
      ...Object.fromEntries(
        Object.entries(workers(FEW_ROWS, speakerOf, 2)).map(([name, end], index) => [
          name,
          index <= 2 ? end : { ...never, trail },
        ]),
      ),
      total: WAITS,
    };
  },
};

/** The others hold on until they are told: whether one had begun depends on who is faster, but none has a result. */
const firstFails: ShapeCase = {
  title: "the failure of the first worker cancels the others",
  input: ({ fewRows }) => ({ csv: fewRows, batch_size: BATCH_SIZE, fail_at: 0, hold: true }),
  state: "blocked_by_failures",
  steps: (speakerOf) => {
    const stopped: StepEnd = {
      state: "cancelled",
      attempts: expect.toBeOneOf([0, 1]),
      result: null,
      error: null,
      trail: expect.arrayContaining(["pending", "cancelled"]),
    };
    return {
      analyze: planned(speakerOf("analyze"), FEW_ROWS),
      ...Object.fromEntries(
        Object.entries(workers(FEW_ROWS, speakerOf, 0)).map(([name, end]) => [
          name,
          end.state === "error" ? end : stopped,
        ]),
      ),
      total: WAITS,
    };
  },
};

const oneRow: ShapeCase = {
  title: "one row, one worker",
  input: (files) => ({ csv: files.oneRow, batch_size: BATCH_SIZE }),
  state: "complete",
  steps: (speakerOf) => ({
    analyze: planned(speakerOf("analyze"), 1),
    ...workers(1, speakerOf),
    total: counted(1),
  }),
};

const noRows: ShapeCase = {
  title: "no rows: a placeholder, or for a TypeScript function nothing at all",
  input: (files) => ({ csv: files.noRows, batch_size: BATCH_SIZE }),
  state: "complete",
  steps: (speakerOf) => {
    const analyzer = speakerOf("analyze");
    if (isTypescriptFunction(analyzer)) return { analyze: planned(analyzer, 0) };
    const reason = isRubyFunction(analyzer) ? {} : { reason: emptyReason(analyzer) };
    return {
      analyze: completes({ batch_processing_outcome: { type: "no_batches" }, ...reason }),
      process_000: completes({ no_op: true, processed_count: 0 }),
      total: completes({
        // Ruby's scenario looks at the dependencies, where the placeholder is; the others at the analyzer's outcome.
        ...(isRubyClass(speakerOf("total"))
          ? { worker_count: 1, scenario: "with_batches" }
          : { worker_count: 0, scenario: "no_batches" }),
        rows: 0,
        amount: 0,
      }),
    };
  },
};

const isRubyFunction = ({ language, form }: Speaker) =>
  language === "ruby" && form === "functional";
const isRubyClass = ({ language, form }: Speaker) => language === "ruby" && form === "class";
const emptyReason = ({ form }: Speaker) =>
  form === "class" ? "the file is empty" : "empty_dataset";

/** Shares of 48 rows, stored after every 20. */
const RESUMED: Shape = {
  name: "batch_with_checkpoints",
  steps: batchSteps("fail_fast", 10).replace(
    "$process }",
    "$tally }\n    retry: { max_attempts: 2, backoff: none }",
  ),
  cases: [null, 0, 1].map((chunk) => ({
    title: chunk === null ? "no failure" : `a failure after ${chunk} chunks of the second share`,
    input: (files) => ({
      ...{ csv: files.fewRows, batch_size: BATCH_SIZE, every: 20 },
      ...(chunk === null ? {} : { fail_at: BATCH_SIZE + chunk * 20 }),
    }),
    state: "complete",
    steps: (speakerOf) => {
      const second = workerName(speakerOf("analyze"), 1);
      const all = fewRows(speakerOf) as Record<string, StepEnd>;
      const attempts = chunk === null ? 1 : 2;
      return { ...all, [second]: completes(all[second]?.result, attempts) };
    },
  })),
};

const pick = (dependency: string) =>
  `  - { name: pick, type: decision, handler: { callable: $choose, initialization: { choice: pick } }, dependencies: [${dependency}] }\n`;
const approve = (name: string, dependency = "") =>
  `  - { name: ${name}, handler: { callable: $approve }, dependencies: [${dependency}] }\n`;
const approved = (name: string) => ({ [name]: completes({ by: name, amount: 1 }) });
const picked = (...names: string[]) =>
  completes({
    decision_point_outcome:
      names.length === 0 ? { type: "no_branches" } : { type: "create_steps", step_names: names },
    ...(names.length === 0 ? { reason: "nothing chosen" } : {}),
  });
const fewRows = (speakerOf: (step: string) => Speaker) => ({
  analyze: planned(speakerOf("analyze"), FEW_ROWS),
  ...workers(FEW_ROWS, speakerOf),
  total: counted(FEW_ROWS),
});

const BEHIND_DECISION: Shape = {
  name: "batch_behind_decision",
  steps: `${approve("start")}${pick("start")}${batchSteps("fail_fast", 2, "pick")}${approve("other", "pick")}${approve("last", "total")}`,
  cases: [["analyze"], ["analyze", "other"], ["other"], []].map((names) => {
    const hasBatch = names.includes("analyze");
    return {
      title: `chosen: ${names.join(", ") || "nothing"}`,
      input: (files) => ({ amount: 1, pick: names, csv: files.fewRows, batch_size: BATCH_SIZE }),
      state: "complete",
      steps: (speakerOf) => ({
        ...approved("start"),
        pick: picked(...names),
        ...(names.includes("other") ? approved("other") : {}),
        ...(hasBatch ? { ...fewRows(speakerOf), ...approved("last") } : {}),
      }),
    };
  }),
};

const BEFORE_DECISION: Shape = {
  name: "batch_before_decision",
  steps: `${batchSteps("fail_fast", 2)}${pick("total")}${approve("a", "pick")}${approve("b", "pick")}`,
  cases: [["a"], ["a", "b"], []].map((names) => ({
    title: `chosen after it: ${names.join(", ") || "nothing"}`,
    input: (files) => ({ amount: 1, pick: names, csv: files.fewRows, batch_size: BATCH_SIZE }),
    state: "complete",
    steps: (speakerOf) => ({
      ...fewRows(speakerOf),
      pick: picked(...names),
      ...Object.assign({}, ...names.map(approved)),
    }),
  })),
};

export const BATCHES: readonly Shape[] = [
  BEHIND_DECISION,
  BEFORE_DECISION,
  RESUMED,
  batchShape("continue_on_failure", 10, [everyRow, oneFails(false), oneRow, noRows]),
  batchShape("isolate", 10, [oneFails(true)]),
  batchShape("fail_fast", 10, [everyRow, firstFails]),
  batchShape("fail_fast", 1, [everyRow, middleFails]),
];
