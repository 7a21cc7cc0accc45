import { describe, expect, it } from "vitest";
import { segmentationCases, stepsOf } from "../../../../test/conformance/rules/load.js";
import type { JsonValue } from "../../../src/lib/json-number.js";
import { parseJson } from "../../../src/lib/parse-json.js";
import { planFor } from "../../../src/lifecycle/plans/index.js";
import { FAILURE_STRATEGIES } from "../../../src/model/index.js";
import { after, step, typed } from "../../model/builders.js";
import {
  batches,
  choose,
  fromSteps,
  fromYaml,
  LIMITS,
  named,
  planOf,
  resultOf,
  worker,
} from "./support.js";

const analyze = step("analyze", {
  type: "batchable",
  handler: {
    callable: "analyze",
    method: null,
    resolver: null,
    initialization: { worker_template_name: "work" },
  },
});
const NO_BATCHES: JsonValue = { batch_processing_outcome: { type: "no_batches" }, reason: "empty" };

const simple = fromSteps(
  analyze,
  worker("work", ["analyze"]),
  typed("deferred_convergence", "merge", "work"),
);

describe("workers and their convergence", () => {
  it("one worker per cursor, an edge from the analyzer to each and from each to the convergence", () => {
    const plan = planOf(resultOf(simple, "analyze", batches("work", "001", "batch_001")));
    expect(named(simple, plan)).toEqual({
      created: ["merge", "work_001", "work_batch_001"],
      edges: [
        "analyze > work_001 (batch_dependency)",
        "analyze > work_batch_001 (batch_dependency)",
        "work_001 > merge (worker_to_convergence)",
        "work_batch_001 > merge (worker_to_convergence)",
      ],
    });
    expect(plan.workers.map((one) => one.templateOrdinal)).toEqual([1, 1]);
  });

  it("inputs: initialization, cursor and batch metadata, with numbers as they were written", () => {
    const runtime = fromYaml(`
name: batch
namespace_name: tests
version: 1.0.0
steps:
  - { name: analyze, type: batchable, handler: { callable: analyze } }
  - name: work
    type: batch_worker
    dependencies: [analyze]
    handler:
      callable: work
      initialization: { ratio: 1.0, big: 9007199254740993, is_no_op: mine, name: x }
    batch_config: { batch_size: 10, parallelism: 2, cursor_field: id, worker_template: work, failure_strategy: isolate }
`);
    const value = parseJson(`{"batch_processing_outcome":{"type":"create_batches",
      "worker_template_name":"work","worker_count":7,"total_items":20,"cursor_configs":[
        {"batch_id":"001","start_cursor":0.0,"end_cursor":{"after":[1.50,12345678901234567890]},"batch_size":10,"extra":1},
        {"batch_id":"002","start_cursor":null,"end_cursor":"z","batch_size":9007199254740993}]}}`);
    const { workers } = planOf(resultOf(runtime, "analyze", value));
    const shared = `"batch_metadata":{"cursor_field":"id","failure_strategy":"isolate"}`;
    const initialization = `"ratio":1.0,"big":9007199254740993,"is_no_op":false,"name":"x"`;
    expect(workers.map((one) => one.inputsJson)).toEqual([
      `{${initialization},"cursor":{"batch_id":"001","start_cursor":0.0,"end_cursor":{"after":[1.50,12345678901234567890]},"batch_size":10},${shared},"__template_step_name":"work"}`,
      `{${initialization},"cursor":{"batch_id":"002","start_cursor":null,"end_cursor":"z","batch_size":9007199254740993},${shared},"__template_step_name":"work"}`,
    ]);
  });

  it("no batches: one placeholder, named by the analyzer's initialization, and the convergence", () => {
    const plan = planOf(resultOf(simple, "analyze", NO_BATCHES));
    expect(named(simple, plan)).toEqual({
      created: ["merge", "work_000"],
      edges: ["analyze > work_000 (batch_dependency)", "work_000 > merge (worker_to_convergence)"],
    });
    expect(JSON.parse(plan.workers[0]?.inputsJson ?? "")).toEqual({
      cursor: { batch_id: "000", start_cursor: 0, end_cursor: 0, batch_size: 0 },
      batch_metadata: { cursor_field: "id", failure_strategy: "fail_fast" },
      is_no_op: true,
      __template_step_name: "work",
    });
  });

  it.each(FAILURE_STRATEGIES)("failures of workers under %s", (strategy) => {
    const runtime = fromSteps(analyze, worker("work", ["analyze"], { failure_strategy: strategy }));
    for (const value of [batches("work", "001", "002"), NO_BATCHES]) {
      for (const one of planOf(resultOf(runtime, "analyze", value)).workers) {
        expect(one.failureTolerated).toBe(strategy !== "fail_fast");
      }
    }
  });

  it("workers without a convergence are created all the same", () => {
    const runtime = fromSteps(analyze, worker("work", ["analyze"]));
    const plan = planOf(resultOf(runtime, "analyze", batches("work", "001")));
    expect(named(runtime, plan)).toEqual({
      created: ["work_001"],
      edges: ["analyze > work_001 (batch_dependency)"],
    });
  });
});

const batch = [analyze, worker("work", ["analyze"])];
const merge = typed("deferred_convergence", "merge", "work");

describe("steps created with a batch", () => {
  it.each(segmentationCases("batches"))("$name", (one) => {
    const runtime = fromSteps(...stepsOf(one.steps));
    const value = batches("work", ...one.batches);
    const seen = named(runtime, planOf(resultOf(runtime, one.completes ?? "", value)));
    expect(seen.created.toSorted()).toEqual(one.created?.toSorted());
    expect(seen.edges.toSorted()).toEqual(one.edges?.toSorted());
  });
});

describe("a batch that cannot be created", () => {
  const bare = step("bare", { type: "batch_worker", dependencies: ["analyze"] });
  const runtime = fromSteps(...batch, bare, after("work_007"), merge);
  const refused: { name: string; value: JsonValue; limits?: object; reason: RegExp }[] = [
    {
      name: "an unknown worker template",
      value: batches("wrok", "1"),
      reason: /`wrok` is no step/,
    },
    {
      name: "a step of another type",
      value: batches("merge", "1"),
      reason: /`merge` is of type deferred_convergence, not batch_worker/,
    },
    { name: "a worker without batch_config", value: batches("bare", "1"), reason: /batch_config/ },
    {
      name: "one batch id twice",
      value: batches("work", "1", "2", "1"),
      reason: /`work_1` would exist twice/,
    },
    { name: "the name of a step", value: batches("work", "007"), reason: /template step/ },
    {
      name: "too many workers",
      value: batches("work", "1", "2", "3"),
      limits: { maxWorkers: 2 },
      reason: /3 workers are more than the 2/,
    },
    {
      name: "batches switched off",
      value: NO_BATCHES,
      limits: { batchesEnabled: false },
      reason: /batch_processing\.enabled/,
    },
  ];
  it.each(refused)("$name", ({ value, limits, reason }) => {
    expect(resultOf(runtime, "analyze", value, limits)).toMatchObject({
      kind: "impossible",
      reason: expect.stringMatching(reason),
    });
  });

  it("a convergence that the analyzer itself waits for", () => {
    const looped = fromSteps(...batch, merge, typed("batchable", "again", "merge"));
    expect(resultOf(looped, "again", batches("work", "1"))).toMatchObject({
      kind: "impossible",
      reason: expect.stringMatching(/`merge` joins .*`again` waits for it/),
    });
  });
});

describe("a batch outcome that says nothing usable", () => {
  const cursor = `{"batch_id":"1","start_cursor":0,"end_cursor":1,"batch_size":1}`;
  const outcome = (members: string): string =>
    `{"batch_processing_outcome":{"type":"create_batches",${members}}}`;
  const whole = `"worker_template_name":"work","worker_count":1,"total_items":1`;
  const ignored: [string, RegExp][] = [
    [`{"batch_processing_outcome":"no_batches"}`, /an object, got "no_batches"/],
    [`{"batch_processing_outcome":{"type":"NoBatches"}}`, /"NoBatches"/],
    [outcome(`${whole},"cursor_configs":[]`), /`cursor_configs` is empty/],
    [outcome(whole), /cursor_configs` to be a list, got nothing/],
    [outcome(`${whole},"cursor_configs":{}`), /a list, got an object/],
    [outcome(`${whole},"cursor_configs":[1]`), /cursor_configs\[0\]` to be an object/],
    [
      outcome(`"worker_count":1,"total_items":1,"cursor_configs":[${cursor}]`),
      /worker_template_name/,
    ],
    [
      outcome(`"worker_template_name":"work","total_items":1,"cursor_configs":[${cursor}]`),
      /worker_count/,
    ],
    [
      outcome(
        `"worker_template_name":"work","worker_count":1,"total_items":3.0,"cursor_configs":[${cursor}]`,
      ),
      /total_items/,
    ],
    ...(["batch_id", "start_cursor", "end_cursor", "batch_size"] as const).map(
      (key): [string, RegExp] => [
        outcome(`${whole},"cursor_configs":[${cursor},${cursor.replace(`"${key}"`, '"x"')}]`),
        new RegExp(`cursor_configs\\[1\\]\\.${key}. to be .* got nothing`),
      ],
    ),
    [
      outcome(`${whole},"cursor_configs":[${cursor.replace('"batch_size":1', '"batch_size":-1')}]`),
      /batch_size/,
    ],
  ];
  it.each(ignored)("%s", (text, reason) => {
    expect(resultOf(simple, "analyze", parseJson(text))).toMatchObject({
      kind: "ignored",
      reason: expect.stringMatching(reason),
    });
  });

  it("a whole outcome is read, so the cases above fail by what they leave out", () => {
    const value = parseJson(outcome(`${whole},"cursor_configs":[${cursor}]`));
    expect(resultOf(simple, "analyze", value).kind).toBe("expand");
  });

  it("no batches, and no worker named in the analyzer's initialization", () => {
    const runtime = fromSteps(typed("batchable", "analyze"), worker("work", ["analyze"]), merge);
    expect(resultOf(runtime, "analyze", NO_BATCHES)).toMatchObject({
      kind: "ignored",
      reason: expect.stringMatching(/`analyze` to name a batch worker/),
    });
  });

  it("no outcome, or the result of a step that makes no batches", () => {
    expect(resultOf(simple, "analyze", { total: 3 })).toEqual({ kind: "none" });
    expect(resultOf(simple, "analyze", choose("merge"))).toEqual({ kind: "none" });
    expect(resultOf(simple, "merge", NO_BATCHES)).toEqual({ kind: "none" });
  });

  it("an ordinal that the template does not have is an error", () => {
    expect(() => planFor(simple, 3, {}, LIMITS)).toThrow(/has 3 steps, asked for ordinal 3/);
  });
});
