import { readFileSync } from "node:fs";
import type { StepDefinition, StepType } from "../../../core/src/model/index.js";
import { step } from "../../../core/test/model/builders.js";

/** The tables in this folder: one set of rows, run against SQL and TypeScript. */
export function readRules<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8")) as T;
}

export interface SegmentationCase {
  readonly name: string;
  /** `name: type <- dependencies`. */
  readonly steps: readonly string[];
  readonly initial?: readonly string[];
  readonly completes?: string;
  /** What decisions that come first choose. */
  readonly before?: Readonly<Record<string, readonly string[]>>;
  readonly choose?: readonly string[];
  readonly batches?: readonly string[];
  readonly created?: readonly string[];
  readonly edges?: readonly string[];
}

export function segmentationCases<Key extends "initial" | "choose" | "batches">(
  key: Key,
): (SegmentationCase & Required<Pick<SegmentationCase, Key>>)[] {
  const { cases } = readRules<{ cases: SegmentationCase[] }>("segmentation");
  return cases.filter((one) => one[key] !== undefined) as never;
}

export function stepsOf(lines: readonly string[]): StepDefinition[] {
  return lines.map((line) => {
    const [head = "", dependencies = ""] = line.split(" <- ");
    const [name = "", type = "standard"] = head.split(": ");
    return step(name, {
      type: type as StepType,
      dependencies: dependencies === "" ? [] : dependencies.split(", "),
      ...(type === "batch_worker"
        ? {
            batch_config: {
              batch_size: 10,
              parallelism: 2,
              cursor_field: "id",
              worker_template: name,
              failure_strategy: "fail_fast",
            },
          }
        : {}),
    });
  });
}
