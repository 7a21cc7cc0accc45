import type { TaskTemplate } from "../../core/src/model/index.js";
import type { StepRow } from "./check.js";
import { expectedOf } from "./expected.js";
import type { SettledOrder } from "./run.js";

export interface Summary {
  readonly settled: readonly SettledOrder[];
  readonly steps: ReadonlyMap<string, readonly StepRow[]>;
  readonly template: TaskTemplate;
  readonly languageOf: (callable: string) => string;
  readonly elapsedMs: number;
}

/** What the run did, beside what it should have done; at most 80 columns. */
export function drawSummary({ settled, steps, template, languageOf, elapsedMs }: Summary): string {
  const rows = [...steps.values()].flat();
  const complete = rows.filter(({ state }) => state === "complete");
  const seconds = elapsedMs / 1000;
  const latencies = settled.map(({ ms }) => ms).sort((a, b) => a - b);
  const expected = settled.map(({ order }) => expectedOf(order));
  const retries = rows.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0);
  const expectedRetries = expected.reduce(
    (sum, { attempts }) => sum + Object.values(attempts).reduce((a, n) => a + n - 1, 0),
    0,
  );
  const expectedFailures = expected.filter(({ failedStep }) => failedStep !== null);
  const failures = settled.filter(({ state }) => state === "blocked_by_failures").length;
  const perStep = counts(expectedFailures.map(({ failedStep }) => failedStep ?? ""));

  return [
    line("orders", `${settled.length} in ${seconds.toFixed(1)} s`),
    line("steps", `${complete.length} complete: ${perLanguage(complete, template, languageOf)}`),
    line(
      "throughput",
      `${Math.round(complete.length / seconds)} steps/s, ${Math.round(settled.length / seconds)} orders/s`,
    ),
    line(
      "per order",
      `p50 ${quantile(latencies, 0.5)} ms, p99 ${quantile(latencies, 0.99)} ms; the handlers' own waiting is ${waitingMs(template)} ms`,
    ),
    line("retries", `${retries}, expected ${expectedRetries}`),
    line("failed", `${failures}, expected ${expectedFailures.length}: ${perStep}`),
  ].join("\n");
}

/** The longest way through the graph, counting what the handlers pretend to wait for (`latency_ms`). */
function waitingMs(template: TaskTemplate): number {
  const ends = new Map<string, number>();
  // The template lists dependencies before the steps that need them.
  for (const { name, handler, dependencies } of template.steps) {
    const start = Math.max(0, ...dependencies.map((dependency) => ends.get(dependency) ?? 0));
    ends.set(name, start + Number(handler.initialization["latency_ms"] ?? 0));
  }
  return Math.max(0, ...ends.values());
}

function perLanguage(
  complete: readonly StepRow[],
  template: TaskTemplate,
  languageOf: (callable: string) => string,
): string {
  const languages = new Map(
    template.steps.map(({ name, handler }) => [name, languageOf(handler.callable)]),
  );
  return counts(complete.map(({ name }) => languages.get(name) ?? ""));
}

/** `TypeScript 912, Python 456`, most frequent first. */
function counts(words: readonly string[]): string {
  const found = new Map<string, number>();
  for (const word of words) found.set(word, (found.get(word) ?? 0) + 1);
  return [...found]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${word} ${count}`)
    .join(", ");
}

function quantile(sorted: readonly number[], q: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0);
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(12)}${text}`;
}
