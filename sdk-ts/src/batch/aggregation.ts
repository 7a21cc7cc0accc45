import type { BatchAggregationResult, BatchAggregationScenario } from "./types.js";
import { objectOrNull } from "./worker-context.js";

type Fields = Record<string, unknown>;

/**
 * Tells a join step whether its batch had workers, and collects their results.
 *
 * @param dependencies raw dependency results (`context.dependencyResults`).
 * @throws Error when the batchable step is missing, or batches were announced and no worker result is there.
 */
export function detectAggregationScenario(
  dependencies: Readonly<Record<string, unknown>>,
  batchableStep: string,
  prefix: string,
): BatchAggregationScenario {
  if (!Object.hasOwn(dependencies, batchableStep)) {
    throw new Error(`Missing batchable step dependency: ${batchableStep}`);
  }
  const batchableResult = unwrap(dependencies[batchableStep]);
  const outcome = objectOrNull(objectOrNull(batchableResult)?.["batch_processing_outcome"]);
  if (outcome?.["type"] === "no_batches") {
    return { isNoBatches: true, batchableResult, batchResults: {}, workerCount: 0 };
  }
  const batchResults: Fields = {};
  for (const [name, stored] of Object.entries(dependencies)) {
    if (name.startsWith(prefix)) batchResults[name] = objectOrNull(unwrap(stored)) ?? {};
  }
  const workerCount = Object.keys(batchResults).length;
  if (workerCount === 0) {
    throw new Error(
      `No batch worker results: expected dependencies of ${batchableStep} named ${prefix}*, found ${
        Object.keys(dependencies).join(", ") || "none"
      }`,
    );
  }
  return { isNoBatches: false, batchableResult, batchResults, workerCount };
}

/** Totals over worker results; null entries are skipped. At most `maxErrors` errors are kept, all are counted. */
export function aggregateBatchResults(
  results: readonly (Fields | null | undefined)[],
  maxErrors = 100,
): BatchAggregationResult {
  // Workers of this package nest their outcome, Python's and Ruby's are flat.
  const present = results
    .filter((result) => result !== null && result !== undefined)
    .map((result) => objectOrNull(result["batch_worker_outcome"]) ?? result);
  const errors = present.flatMap((result) =>
    Array.isArray(result["errors"]) ? (result["errors"] as unknown[]) : [],
  );
  const processed = sum(present, "items_processed");
  const succeeded = sum(present, "items_succeeded");
  return {
    total_processed: processed,
    total_succeeded: succeeded,
    total_failed: sum(present, "items_failed"),
    total_skipped: sum(present, "items_skipped"),
    batch_count: present.length,
    success_rate: processed > 0 ? succeeded / processed : 0,
    errors: errors.slice(0, maxErrors),
    error_count: errors.length,
  };
}

function sum(results: readonly Fields[], key: string): number {
  let total = 0;
  for (const result of results) {
    const value = result[key];
    if (typeof value === "number") total += value;
  }
  return total;
}

function unwrap(stored: unknown): unknown {
  const envelope = objectOrNull(stored);
  return envelope !== null && Object.hasOwn(envelope, "result") ? envelope["result"] : stored;
}
