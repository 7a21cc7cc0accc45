/** The handlers of the shapes as classes; `functional-handlers.ts` has the same ones as functions. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleepFor } from "node:timers/promises";
import {
  BatchableStepHandler,
  DecisionHandler,
  ErrorType,
  PermanentError,
  RetryableError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from "@tasker-core/sdk";
import { addUp, type Tally as Counted, counting, readRows } from "./csv.js";
import { untilTold } from "./until-told.js";

interface Value {
  readonly value: number;
}

export class Seed extends StepHandler {
  static override handlerName = "typescript.class.seed";
  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ value: context.getInput("n") });
  }
}

export class Add extends StepHandler {
  static override handlerName = "typescript.class.add";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const { from, plus } = context.stepConfig as { from: string[]; plus: number };
    const values = from.map((name) => context.getDependencyResult<Value>(name)?.value ?? 0);
    return this.success({ value: values.reduce((a, b) => a + b, plus) });
  }
}

export class Join extends StepHandler {
  static override handlerName = "typescript.class.join";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const left = context.getDependencyResult<Value>("left");
    const right = context.getDependencyResult<Value>("right");
    return this.success({ value: (left?.value ?? 0) * (right?.value ?? 0), left, right });
  }
}

export class Approve extends StepHandler {
  static override handlerName = "typescript.class.approve";
  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({
      by: context.event.workflowStep.name,
      amount: context.getInput("amount"),
    });
  }
}

export class Collect extends StepHandler {
  static override handlerName = "typescript.class.collect";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const there = context.getDependencyResultKeys();
    const wanted = context.getConfig<string[]>("of") ?? [];
    return this.success({ present: wanted.filter((name) => there.includes(name)) });
  }
}

export class Route extends DecisionHandler {
  static override handlerName = "typescript.class.route";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const amount = context.getInputOr("amount", 0);
    if (amount <= 0) return this.skipBranches("nothing to approve", { amount });
    const steps = [amount < 1_000 ? "auto_approve" : "manager_approval"];
    if (amount >= 5_000) steps.push("finance_review");
    return this.decisionSuccess(steps, { amount });
  }
}

export class Choose extends DecisionHandler {
  static override handlerName = "typescript.class.choose";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const chosen = context.getInput<string[]>(context.getConfig("choice") ?? "") ?? [];
    return chosen.length === 0 ? this.skipBranches("nothing chosen") : this.decisionSuccess(chosen);
  }
}

export class Analyze extends BatchableStepHandler {
  static override handlerName = "typescript.class.analyze";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const rows = (await readRows(context.getInputOr("csv", ""))).length;
    if (rows === 0) return this.noBatchesResult("the file is empty");
    const workers = Math.ceil(rows / context.getInputOr("batch_size", 1));
    return this.batchSuccess("process", this.createCursorConfigs(rows, workers));
  }
}

export class Process extends BatchableStepHandler {
  static override handlerName = "typescript.class.process";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const nothing = this.handleNoOpWorker(context)?.result as Record<string, unknown> | undefined;
    if (nothing !== undefined) {
      return this.success({ no_op: nothing["no_op"], processed_count: nothing["processed_count"] });
    }
    const share = this.getBatchContext(context);
    if (share === null) return this.failure("not a batch worker");
    const { startCursor, endCursor } = share;
    if (startCursor === context.getInput("fail_at")) {
      return this.failure(`row ${startCursor} is broken`, ErrorType.PERMANENT_ERROR, false);
    }
    if (context.getInput("hold") === true) await untilTold(context);
    const rows = (await readRows(context.getInputOr("csv", ""))).slice(startCursor, endCursor);
    return this.success({
      ids: rows.map(({ id }) => id),
      amount: rows.reduce((sum, { amount }) => sum + amount, 0),
    });
  }
}

export class Tally extends BatchableStepHandler {
  static override handlerName = "typescript.class.tally";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const share = this.getBatchContext(context);
    if (share === null) return this.failure("not a batch worker");
    const start = share.hasCheckpoint() ? Number(share.checkpointCursor) : share.startCursor;
    if (start === context.getInput("fail_at") && !context.isRetry()) {
      throw new RetryableError(`interrupted at row ${start}`);
    }
    const before = (share.accumulatedResults ?? { ids: [], amount: 0 }) as unknown as Counted;
    const end = Math.min(start + context.getInputOr("every", 1), share.endCursor);
    const rows = await readRows(context.getInputOr("csv", ""));
    const done = counting(before, rows.slice(start, end));
    if (end === share.endCursor) return this.success({ ...done });
    return this.checkpointYield(end, done.ids.length, { ...done });
  }
}

export class Total extends BatchableStepHandler {
  static override handlerName = "typescript.class.total";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const { dependencyResults } = context;
    const scenario = this.detectAggregationScenario(dependencyResults, "analyze", "process_");
    return this.aggregateBatchWorkerResults(scenario, { rows: 0, amount: 0 }, (results) =>
      addUp(Object.values(results) as { ids?: number[] }[]),
    );
  }
}

export class Flaky extends StepHandler {
  static override handlerName = "typescript.class.flaky";
  async call(context: StepContext): Promise<StepHandlerResult> {
    if (context.retryCount >= context.getInputOr("fail_times", 0)) {
      return this.success({ failures: context.retryCount, was_last: context.isLastRetry() });
    }
    const message = `failure ${context.retryCount + 1}`;
    const retryAfterSeconds = context.getInput<number>("retry_after");
    if (retryAfterSeconds !== undefined) throw new RetryableError(message, { retryAfterSeconds });
    return this.failure(message, ErrorType.RETRYABLE_ERROR, true);
  }
}

export class Refuse extends StepHandler {
  static override handlerName = "typescript.class.refuse";
  async call(): Promise<StepHandlerResult> {
    const type = ErrorType.PERMANENT_ERROR;
    return this.failure("the card was declined", type, false, {}, "DECLINED");
  }
}

export class Crash extends StepHandler {
  static override handlerName = "typescript.class.crash";
  async call(): Promise<StepHandlerResult> {
    throw new RangeError("there is no such item");
  }
}

export class Items extends BatchableStepHandler {
  static override handlerName = "typescript.class.items";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const { items, every, fail_at } = context.inputData as Record<string, number>;
    const start = Number(context.checkpointCursor ?? 0);
    const before = context.accumulatedResults ?? { sum: 0, starts: [] };
    if (start === fail_at && !context.isRetry()) {
      throw new RetryableError(`interrupted at item ${start}`);
    }
    const isPaused = start === context.getInput("pause_at");
    while (isPaused && !existsSync(context.getInputOr("key", ""))) await sleepFor(20);
    const end = Math.min(start + Number(every), Number(items));
    let sum = Number(before["sum"]);
    for (let item = start + 1; item <= end; item += 1) sum += item;
    const done = { sum, starts: [...(before["starts"] as number[]), start] };
    if (end !== items) return this.checkpointYield(end, end, done);
    return this.success({ ...done, retry_count: context.retryCount });
  }
}

export class Sleep extends StepHandler {
  static override handlerName = "typescript.class.sleep";
  async call(context: StepContext): Promise<StepHandlerResult> {
    const sign = `${context.getInput("signs")}/${context.stepUuid}`;
    await writeFile(`${sign}.started`, "");
    const reason = await untilTold(context);
    if (reason !== null) await writeFile(`${sign}.told`, reason);
    return this.success({ was: "too late" });
  }
}

export class Gate extends StepHandler {
  static override handlerName = "typescript.class.gate";
  async call(context: StepContext): Promise<StepHandlerResult> {
    if (!existsSync(context.getInputOr("key", ""))) throw new PermanentError("the gate is closed");
    return this.success({ gate: "open" });
  }
}
