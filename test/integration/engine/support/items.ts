import { defineHandler, RetryableError, StepHandlerResult } from "@tasker-core/sdk";
import type { TestStep } from "../../../support/test-engine.js";

interface ItemsContext {
  readonly items?: number;
  readonly every?: number;
  readonly ms?: number;
  readonly fail_at?: number;
}

interface Done {
  readonly sum: number;
  readonly starts: readonly number[];
}

/** The TypeScript twin of `reference.items` in the Python and Ruby reference handlers. */
export const items = defineHandler("typescript.items", {}, async ({ context }) => {
  const { items = 10, every = 3, ms = 0, fail_at } = context.inputData as ItemsContext;
  const start = Number(context.checkpointCursor ?? 0);
  const before = (context.accumulatedResults ?? { sum: 0, starts: [] }) as unknown as Done;
  if (start === fail_at && context.retryCount === 0) {
    throw new RetryableError(`interrupted at item ${start}`);
  }
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  const end = Math.min(start + every, items);
  let { sum } = before;
  for (let item = start + 1; item <= end; item += 1) sum += item;
  const done = { sum, starts: [...before.starts, start] };
  if (end === items) return { ...done, retry_count: context.retryCount };
  return StepHandlerResult.success(
    { cursor: end, items_processed: end, accumulated_results: done },
    { checkpoint_yield: true },
  );
});

/** The template `items`, for one language's handler. */
export function itemsTemplates(language: string): Record<string, readonly TestStep[]> {
  const callable = language === "typescript" ? "typescript.items" : "reference.items";
  return { items: [{ name: "only", callable, retry: { max_attempts: 3, backoff: "none" } }] };
}
