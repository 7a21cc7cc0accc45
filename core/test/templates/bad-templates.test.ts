import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatDiagnostic,
  parseTemplate,
  type TemplateOptions,
} from "../../src/templates/index.js";

function problems(text: string, options: TemplateOptions = {}): string[] {
  const { template, diagnostics } = parseTemplate(text, "t.yaml", options);
  expect(template === null).toBe(diagnostics.some((item) => item.severity === "error"));
  return diagnostics.map(formatDiagnostic);
}

const HEAD = "name: t\nnamespace_name: ns\nversion: 1.0.0\n"; // lines 1 to 3
/** `body` starts at line 5. */
const steps = (body: string): string => `${HEAD}steps:\n${body}`;
const step = (rest: string): string => steps(`  - name: a\n    handler: { callable: x }\n${rest}`); // rest at line 7
const batch = (rest: string): string =>
  step(`    type: batch_worker\n    batch_config: { worker_template: a, ${rest} }\n`); // line 8

const cases: { name: string; text: string; expected: string[] }[] = [
  {
    name: "nothing that is required",
    text: "description: d\n",
    expected: [
      "t.yaml:1:1: error: the template needs `name`",
      "t.yaml:1:1: error: the template needs `namespace_name`",
      "t.yaml:1:1: error: the template needs `version`",
    ],
  },
  {
    name: "a bad namespace and version",
    text: "name: t\nnamespace_name: my-team\nversion: 1.0\n",
    expected: [
      "t.yaml:2:17: error: the namespace `my-team` may only have letters, digits and underscores (for example `my_team`; it names the queue `worker_<namespace>_queue`)",
      "t.yaml:3:10: error: the version `1.0` is not of the form x.y.z (for example `1.0.0`)",
    ],
  },
  {
    name: "steps of the wrong kinds",
    text: `${HEAD}steps:\n  - just text\n  - name: [a]\n    handler: x\n`,
    expected: [
      't.yaml:5:5: error: `steps` must be a list of maps, got the string "just text"',
      "t.yaml:6:11: error: `name` must be text, got a list",
      't.yaml:7:14: error: `handler` must be a map, got the string "x"',
    ],
  },
  {
    name: "a step without name and handler",
    text: steps("  - description: d\n"),
    expected: [
      "t.yaml:5:5: error: `steps[0]` needs `name`",
      "t.yaml:5:5: error: `steps[0]` needs `handler` (for example `handler: { callable: my_handler }`)",
    ],
  },
  {
    name: "a field and its alias",
    text: step(
      "    type: standard\n    step_type: standard\n    dependencies: []\n    depends_on: []\n",
    ),
    expected: [
      "t.yaml:8:5: error: `step_type` is another name of `type`; write only one of them",
      "t.yaml:10:5: error: `depends_on` is another name of `dependencies`; write only one of them",
    ],
  },
  {
    name: "booleans and numbers of the wrong kind",
    text: step(
      '    timeout_seconds: soon\n    retry: { retryable: yes, max_attempts: "3", backoff_base_ms: 1.5 }\n',
    ),
    expected: [
      't.yaml:7:22: error: `timeout_seconds` must be an integer from 1 to 604800, got the string "soon"',
      't.yaml:8:25: error: `retryable` must be true or false, got the string "yes"',
      't.yaml:8:44: error: `max_attempts` must be an integer from 1 to 100, got the string "3"',
      "t.yaml:8:66: error: `backoff_base_ms` must be an integer from 100 to 3600000, got `1.5`",
    ],
  },
  {
    name: "numbers out of range",
    text: step("    retry: { max_attempts: 101, backoff_base_ms: 99, max_backoff_ms: 1 }\n"),
    expected: [
      "t.yaml:7:28: error: `max_attempts` must be from 1 to 100, got 101",
      "t.yaml:7:50: error: `backoff_base_ms` must be from 100 to 3600000, got 99",
      "t.yaml:7:70: error: `max_backoff_ms` must be from 1000 to 3600000, got 1",
    ],
  },
  {
    name: "unknown keys",
    text: `${HEAD}namespace: x\ninput_shema: {}\nsteps:\n  - name: a\n    handler: { callable: x, klass: y }\n    retry: { limit: 3, max_attemps: 4 }\n`,
    expected: [
      "t.yaml:4:1: warning: unknown key `namespace` at the top level is ignored (write `namespace_name`)",
      "t.yaml:5:1: warning: unknown key `input_shema` at the top level is ignored (did you mean `input_schema`?)",
      "t.yaml:8:29: warning: unknown key `klass` in `steps[0].handler` is ignored",
      "t.yaml:9:14: warning: unknown key `limit` in `steps[0].retry` is ignored (write `max_attempts`: total attempts including the first)",
      "t.yaml:9:24: warning: unknown key `max_attemps` in `steps[0].retry` is ignored (did you mean `max_attempts`?)",
    ],
  },
  {
    name: "dependencies that cannot be",
    text: steps(
      "  - { name: validate, handler: { callable: x }, dependencies: [validate] }\n" +
        "  - { name: validate, handler: { callable: x } }\n" +
        "  - { name: ship, handler: { callable: x }, dependencies: [validte, validate, validate, 7] }\n",
    ),
    expected: [
      "t.yaml:5:64: error: the step `validate` depends on itself",
      "t.yaml:6:13: error: the step name `validate` is already used by `steps[0]`",
      "t.yaml:7:60: error: the step `ship` depends on `validte`, which does not exist (did you mean `validate`?)",
      "t.yaml:7:79: warning: the dependency `validate` is listed twice",
      "t.yaml:7:89: error: the step `ship` depends on `7`, which does not exist",
    ],
  },
  {
    name: "a cycle, as a path and at the edge that closes it first in the file",
    text: steps(
      "  - { name: start, handler: { callable: x } }\n" +
        "  - { name: a, handler: { callable: x }, dependencies: [start, b] }\n" +
        "  - { name: b, handler: { callable: x }, dependencies: [c] }\n" +
        "  - { name: c, handler: { callable: x }, dependencies: [a] }\n",
    ),
    expected: [
      "t.yaml:6:64: error: steps wait for each other: a → b → c → a (each waits for the one after the arrow; remove one of these dependencies)",
    ],
  },
  {
    name: "events against the rules",
    text: step(
      "    publishes_events:\n" +
        "      - { name: ordered, description: d, schema: {} }\n" +
        "      - { name: Order..Made, description: d, schema: {} }\n" +
        "      - { name: a.b, schema: [], condition: never, delivery_mode: slow, publisher: 'a b' }\n" +
        "      - { name: a.b, description: d }\n",
    ),
    expected: [
      "t.yaml:8:17: error: the event name `ordered` must be parts of a-z, 0-9 and _ joined by dots, at least two (for example `order.created`)",
      "t.yaml:9:17: error: the event name `Order..Made` must be parts of a-z, 0-9 and _ joined by dots, at least two (for example `order.created`)",
      "t.yaml:10:9: error: `steps[0].publishes_events[2]` needs `description`",
      "t.yaml:10:30: error: `schema` must be a map, got a list",
      't.yaml:10:45: error: `condition` must be one of success, failure, retryable_failure, permanent_failure, always, got the string "never"',
      't.yaml:10:67: error: `delivery_mode` must be one of durable, fast, broadcast, got the string "slow"',
      "t.yaml:10:84: error: the publisher `a b` must be an identifier, with `::` or `.` between its parts",
      "t.yaml:11:9: error: `steps[0].publishes_events[3]` needs `schema` (a JSON Schema of the event's payload)",
    ],
  },
  {
    name: "a batch configuration with gaps",
    text: batch("batch_size: 100001"),
    expected: [
      "t.yaml:8:19: error: `steps[0].batch_config` needs `parallelism`",
      "t.yaml:8:19: error: `steps[0].batch_config` needs `failure_strategy` (one of continue_on_failure, fail_fast, isolate)",
      "t.yaml:8:19: error: `steps[0].batch_config` needs `cursor_field`",
      "t.yaml:8:53: error: `batch_size` must be from 1 to 100000, got 100001",
    ],
  },
  {
    name: "batches that cannot work as meant",
    text: steps(
      "  - { name: analyze, type: batchable, handler: { callable: x, initialization: { worker_template_name: wrok } } }\n" +
        "  - { name: work, type: batch_worker, handler: { callable: x }, dependencies: [analyze] }\n" +
        "  - { name: after, handler: { callable: x }, dependencies: [work] }\n",
    ),
    expected: [
      "t.yaml:5:103: warning: `worker_template_name` names `wrok`, which is no step of type batch_worker",
      "t.yaml:6:5: warning: the batch worker `work` has no `batch_config`, so no batch can be made from it",
      "t.yaml:7:61: warning: `after` does not wait for the workers made from `work`: only a deferred_convergence does (give it `type: deferred_convergence`)",
    ],
  },
  {
    name: "environments that miss",
    text: step(
      "environments:\n  test:\n    steps:\n      - { name: aa, timeout_seconds: 0 }\n      - { name: a, type: decision, handler: { callable: z } }\n",
    ),
    expected: [
      "t.yaml:10:17: warning: no step is named `aa`; this override has no effect (did you mean `a`?)",
      "t.yaml:10:38: error: `timeout_seconds` must be from 1 to 604800, got 0",
      "t.yaml:11:20: warning: unknown key `type` in `environments.test.steps[1]` is ignored (an environment can only override handler.initialization, timeout_seconds and retry)",
      "t.yaml:11:47: warning: unknown key `callable` in `environments.test.steps[1].handler` is ignored (an environment can only override `handler.initialization`)",
    ],
  },
  {
    name: "schemas that are no objects, lifecycle beyond its ranges, a time without zone",
    text: `${HEAD}input_schema: [1]\nlifecycle: { max_duration_minutes: 43201, staleness_action: panic }\nmetadata: { created_at: 2026-01-02T03:04:05 }\nsteps:\n  - { name: a, handler: { callable: x }, result_schema: text }\n`,
    expected: [
      "t.yaml:4:15: error: `input_schema` must be a map, got a list",
      "t.yaml:5:36: error: `max_duration_minutes` must be from 1 to 43200, got 43201",
      't.yaml:5:61: error: `staleness_action` must be one of dlq, error, none, got the string "panic"',
      "t.yaml:6:25: error: `created_at` must be an RFC 3339 time with a zone, got `2026-01-02T03:04:05` (for example 2026-01-02T03:04:05Z)",
      't.yaml:8:57: error: `result_schema` must be a map, got the string "text"',
    ],
  },
  {
    name: "values that JSON cannot carry",
    text: steps(
      '  - name: a\n    handler: { callable: x, initialization: { a: .inf, b: "\\0", c: 99999999999999999999 } }\n',
    ),
    expected: [
      "t.yaml:6:50: error: `.inf` has no form in JSON",
      "t.yaml:6:59: error: the text contains U+0000 or half of a surrogate pair, which cannot be stored",
      "t.yaml:6:68: error: the integer `99999999999999999999` does not fit into 64 bits; quote it to keep it as text",
    ],
  },
];

describe("a bad template lists all its problems with their places", () => {
  it.each(cases)("$name", ({ text, expected }) => {
    expect(problems(text)).toEqual(expected);
  });

  it("ends early on input made to exhaust the reader", () => {
    const laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let n = 1; n < 12; n++) {
      laughs.push(
        `a${n}: &a${n} [${Array(10)
          .fill(`*a${n - 1}`)
          .join(", ")}]`,
      );
    }
    expect(problems(`${HEAD}${laughs.join("\n")}\n`).join()).toContain(
      "aliases repeat more than 200000 values",
    );
    expect(
      problems(`${HEAD}input_schema: ${"[".repeat(200)}${"]".repeat(200)}\n`).join(),
    ).toContain("nested more than 60 levels deep");
    expect(problems(`${HEAD}input_schema: ${"{a: ".repeat(50_000)}`)).not.toEqual([]);
  });

  it("never throws, whatever the text", () => {
    const valid = step("    retry: { max_attempts: 3 }\n    dependencies: &d [a, 'b', *d]\n");
    const mutated = fc
      .tuple(
        fc.nat(valid.length),
        fc.nat(12),
        fc.string({ unit: fc.constantFrom(...":-[]{}&*!|>#\"'\n\t ,?%@a1") }),
      )
      .map(([at, length, text]) => valid.slice(0, at) + text + valid.slice(at + length));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string()), (text) => {
        const { template, diagnostics } = parseTemplate(text, "t.yaml");
        expect(template === null).toBe(diagnostics.some((item) => item.severity === "error"));
        for (const { line, column } of diagnostics) {
          expect(line).toBeLessThanOrEqual(text.split("\n").length);
          expect(column).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("stays quick when every one of 10 000 steps is wrong", () => {
    const wrong = Array.from(
      { length: 10_000 },
      (_, n) => `  - { name: step_${n}, dependencies: [stepp_${n}] }\n`,
    );
    const started = performance.now();
    expect(problems(steps(wrong.join("")))).toHaveLength(501);
    // About 1 s when written; a suggestion for each of them took minutes.
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it("stops listing at a bound", () => {
    const keys = Array.from({ length: 700 }, (_, n) => `zz${n}: 1\n`).join("");
    const list = problems(`${HEAD}${keys}`);
    expect(list).toHaveLength(501);
    expect(list.at(-1)).toContain("too many problems");
  });
});

describe("profiles", () => {
  const loose = `name: t\nnamespace_name: ns\nversion: "1"\nowner: me\nsteps:\n  - { name: a, handler: { callable: x }, retry: { max_attempts: 500, backoff_base_ms: 5 }, timeout_seconds: 0 }\n`;

  it("the compatibility profile accepts values beyond the ranges and is silent about unknown keys", () => {
    const { template, diagnostics } = parseTemplate(loose, "t.yaml", { profile: "tasker-core" });
    expect(diagnostics).toEqual([]);
    expect(template?.steps[0]?.retry).toMatchObject({ max_attempts: 500, backoff_base_ms: 5 });
  });

  it("the default profile refuses the same", () => {
    expect(problems(loose).filter((line) => line.includes(" error: "))).toHaveLength(4);
  });

  it("neither accepts what cannot be stored or understood", () => {
    const text = `name: t\nnamespace_name: a-b\nversion: ${"1".repeat(17)}\nsteps:\n  - { name: a, handler: { callable: x }, retry: { max_attempts: -1 } }\n`;
    expect(problems(text, { profile: "tasker-core" })).toHaveLength(3);
  });

  it("strict makes an unknown key an error", () => {
    expect(problems(`${HEAD}owner: me\n`, { unknownKeys: "error" })).toEqual([
      "t.yaml:4:1: error: unknown key `owner` at the top level is ignored",
    ]);
  });
});
