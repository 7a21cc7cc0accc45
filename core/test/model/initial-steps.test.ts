import { describe, expect, it } from "vitest";
import { initialStepNames, type StepDefinition } from "../../src/model/index.js";
import { after, typed } from "./builders.js";

const cases: { name: string; steps: StepDefinition[]; initial: string[] }[] = [
  {
    name: "a plain template: every step",
    steps: [after("a"), after("b", "a")],
    initial: ["a", "b"],
  },
  { name: "no steps", steps: [], initial: [] },
  {
    name: "a batch: neither the worker template nor the convergence",
    steps: [
      typed("batchable", "analyze"),
      typed("batch_worker", "work", "analyze"),
      typed("deferred_convergence", "merge", "work"),
    ],
    initial: ["analyze"],
  },
  {
    name: "ours: what stands behind a convergence waits for it to be created",
    steps: [
      typed("batchable", "analyze"),
      typed("batch_worker", "work", "analyze"),
      typed("deferred_convergence", "merge", "work"),
      after("report", "merge"),
      after("mail", "report", "other"),
      after("other"),
    ],
    initial: ["analyze", "other"],
  },
  {
    name: "a decision: itself, and nothing behind it",
    steps: [
      after("validate"),
      typed("decision", "route", "validate"),
      after("auto", "route"),
      after("manual", "route"),
      after("behind", "manual"),
      typed("deferred_convergence", "finish", "auto", "behind"),
    ],
    initial: ["validate", "route"],
  },
  {
    name: "a decision behind a decision is created by the first",
    steps: [
      after("start"),
      typed("decision", "first", "start"),
      after("between", "first"),
      typed("decision", "second", "between"),
    ],
    initial: ["start", "first"],
  },
  {
    name: "with a decision, a convergence that is not behind it exists from the start",
    steps: [
      after("a"),
      typed("decision", "route", "a"),
      after("branch", "route"),
      typed("deferred_convergence", "join", "a"),
      after("tail", "join"),
    ],
    initial: ["a", "route", "join", "tail"],
  },
  {
    name: "ours: with a decision, a convergence of batch workers still waits for them",
    steps: [
      after("a"),
      typed("decision", "route", "a"),
      typed("batchable", "analyze", "a"),
      typed("batch_worker", "work", "analyze"),
      typed("deferred_convergence", "merge", "work"),
    ],
    initial: ["a", "route", "analyze"],
  },
];

describe("steps created with the task", () => {
  it.each(cases)("$name", ({ steps, initial }) => {
    expect(initialStepNames(steps)).toEqual(initial);
  });
});
