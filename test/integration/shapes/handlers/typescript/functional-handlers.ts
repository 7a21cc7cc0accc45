/** The handlers of the shapes as functions; `class-handlers.ts` has the same ones as classes. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleepFor } from "node:timers/promises";
import {
  Decision,
  defineBatchAnalyzer,
  defineBatchWorker,
  defineDecisionHandler,
  defineHandler,
  PermanentError,
  RetryableError,
  StepHandlerResult,
} from "@tasker-core/sdk";
import { addUp, counting, readRows, type Tally } from "./csv.js";
import { untilTold } from "./until-told.js";

export const seed = defineHandler(
  "typescript.functional.seed",
  { inputs: { value: "n" } },
  ({ value }) => ({ value }),
);

export const add = defineHandler("typescript.functional.add", {}, ({ context }) => {
  const names = context.getConfig<string[]>("from") ?? [];
  const values = names.map((name) => context.getDependencyField<number>(name, "value") ?? 0);
  return { value: values.reduce((a, b) => a + b, context.getConfig<number>("plus") ?? 0) };
});

export const join = defineHandler(
  "typescript.functional.join",
  { depends: { left: "left", right: "right" } },
  ({ left, right }) => ({
    value: (left as { value: number }).value * (right as { value: number }).value,
    left,
    right,
  }),
);

export const approve = defineHandler(
  "typescript.functional.approve",
  { inputs: { amount: "amount" } },
  ({ amount, context }) => ({ by: context.event.workflowStep.name, amount }),
);

export const collect = defineHandler("typescript.functional.collect", {}, ({ context }) => ({
  present: context
    .getConfig<string[]>("of")
    ?.filter((name) => context.getDependencyResult(name) !== null),
}));

export const route = defineDecisionHandler(
  "typescript.functional.route",
  { inputs: { given: "amount" } },
  ({ given }) => {
    const amount = Number(given);
    if (amount <= 0) return Decision.skip("nothing to approve", { amount });
    if (amount < 1_000) return Decision.route(["auto_approve"], { amount });
    if (amount < 5_000) return Decision.route(["manager_approval"], { amount });
    return Decision.route(["manager_approval", "finance_review"], { amount });
  },
);

export const choose = defineDecisionHandler("typescript.functional.choose", {}, ({ context }) => {
  const chosen = context.getInputOr<string[]>(context.getConfig("choice") ?? "", []);
  return chosen.length === 0 ? Decision.skip("nothing chosen") : Decision.route(chosen);
});

export const analyze = defineBatchAnalyzer(
  "typescript.functional.analyze",
  { workerTemplate: "process", inputs: { csv: "csv", size: "batch_size" } },
  async ({ csv, size }) => ({
    totalItems: (await readRows(String(csv))).length,
    batchSize: Number(size),
  }),
);

export const processRows = defineBatchWorker(
  "typescript.functional.process",
  { inputs: { csv: "csv", failAt: "fail_at", hold: "hold" } },
  async ({ csv, failAt, hold, batchContext, context }) => {
    if (batchContext === null) throw new PermanentError("not a batch worker");
    if (batchContext.isNoOp) return { no_op: true, processed_count: 0 };
    const { startCursor, endCursor } = batchContext;
    if (startCursor === failAt) throw new PermanentError(`row ${startCursor} is broken`);
    if (hold === true) await untilTold(context);
    const rows = (await readRows(String(csv))).slice(startCursor, endCursor);
    return {
      ids: rows.map(({ id }) => id),
      amount: rows.reduce((sum, { amount }) => sum + amount, 0),
    };
  },
);

export const tally = defineBatchWorker(
  "typescript.functional.tally",
  { inputs: { csv: "csv", every: "every", failAt: "fail_at" } },
  async ({ csv, every, failAt, batchContext, context }) => {
    if (batchContext === null) throw new PermanentError("not a batch worker");
    const start = Number(batchContext.checkpointCursor ?? batchContext.startCursor);
    if (start === failAt && !context.isRetry()) {
      throw new RetryableError(`interrupted at row ${start}`);
    }
    const before = (batchContext.accumulatedResults ?? { ids: [], amount: 0 }) as unknown as Tally;
    const end = Math.min(start + Number(every), batchContext.endCursor);
    const done = counting(before, (await readRows(String(csv))).slice(start, end));
    if (end === batchContext.endCursor) return done;
    return StepHandlerResult.success(
      { cursor: end, items_processed: done.ids.length, accumulated_results: done },
      { checkpoint_yield: true },
    );
  },
);

export const total = defineHandler("typescript.functional.total", {}, ({ context }) => {
  const parts = context.getAllDependencyResults<{ no_op?: boolean; ids?: number[] }>("process_");
  const isEmpty = parts.some((part) => part.no_op === true);
  return {
    worker_count: isEmpty ? 0 : parts.length,
    scenario: isEmpty ? "no_batches" : "with_batches",
    ...addUp(parts),
  };
});

export const flaky = defineHandler(
  "typescript.functional.flaky",
  { inputs: { failTimes: "fail_times", after: "retry_after" } },
  ({ failTimes, after, context }) => {
    if (context.retryCount < Number(failTimes)) {
      const options = typeof after === "number" ? { retryAfterSeconds: after } : {};
      throw new RetryableError(`failure ${context.attempt}`, {}, options);
    }
    return { failures: context.retryCount, was_last: context.isLastRetry() };
  },
);

export const refuse = defineHandler("typescript.functional.refuse", {}, () => {
  throw new PermanentError("the card was declined", {}, { errorCode: "DECLINED" });
});

export const crash = defineHandler("typescript.functional.crash", {}, () => {
  throw new RangeError("there is no such item");
});

export const items = defineHandler(
  "typescript.functional.items",
  { inputs: { items: "items", every: "every", failAt: "fail_at" } },
  async ({ items, every, failAt, context }) => {
    const start = Number(context.checkpointCursor ?? 0);
    const before = context.accumulatedResults ?? { sum: 0, starts: [] };
    if (start === failAt && !context.isRetry()) {
      throw new RetryableError(`interrupted at item ${start}`);
    }
    const isPaused = start === context.getInput("pause_at");
    while (isPaused && !existsSync(context.getInputOr("key", ""))) await sleepFor(20);
    const end = Math.min(start + Number(every), Number(items));
    let sum = Number(before["sum"]);
    for (let item = start + 1; item <= end; item += 1) sum += item;
    const done = { sum, starts: [...(before["starts"] as number[]), start] };
    if (end === items) return { ...done, retry_count: context.retryCount };
    return StepHandlerResult.success(
      { cursor: end, items_processed: end, accumulated_results: done },
      { checkpoint_yield: true },
    );
  },
);

export const sleep = defineHandler(
  "typescript.functional.sleep",
  { inputs: { signs: "signs" } },
  async ({ signs, context }) => {
    const sign = `${signs}/${context.stepUuid}`;
    await writeFile(`${sign}.started`, "");
    const reason = await untilTold(context);
    if (reason !== null) await writeFile(`${sign}.told`, reason);
    return { was: "too late" };
  },
);

export const gate = defineHandler(
  "typescript.functional.gate",
  { inputs: { key: "key" } },
  ({ key }) => {
    if (!existsSync(String(key))) throw new PermanentError("the gate is closed");
    return { gate: "open" };
  },
);
