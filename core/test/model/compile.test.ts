import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonNumber } from "../../src/lib/json-number.js";
import { compileTemplate, DEFAULT_RETRY, withWrittenRetry } from "../../src/model/index.js";
import { after, step, template, typed } from "./builders.js";

const development = { environment: "development" };

describe("compileTemplate", () => {
  it("numbers steps in topological order, file order first, and turns names into ordinals", () => {
    const compiled = compileTemplate(
      template([
        after("join", "left", "right"),
        after("start"),
        after("left", "start"),
        after("right", "start"),
      ]),
      development,
    );
    expect(compiled.steps.map((item) => item.name)).toEqual(["start", "left", "right", "join"]);
    expect(compiled.steps.map((item) => item.ordinal)).toEqual([0, 1, 2, 3]);
    expect(compiled.steps[3]?.dependencies).toEqual([1, 2]);
    expect(compiled.steps[0]?.children).toEqual([1, 2]);
    expect(compiled.steps.map((item) => item.pendingDependencies)).toEqual([0, 1, 1, 2]);
    expect(compiled.ancestorsOf(3)).toEqual([0, 1, 2]);
    expect(compiled.ordinalOf("right")).toBe(2);
    expect(compiled.ordinalOf("nobody")).toBeUndefined();
    expect(compiled.isStatic).toBe(true);
    expect(compiled.key).toBe("tests/example/1.0.0");
  });

  it("orders any acyclic template topologically", () => {
    const steps = fc
      .array(fc.array(fc.nat(20), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
      .map((lists) =>
        // Dependencies point at later places in the file, so that every order has to change.
        lists.map((list, index) =>
          after(
            `s${index}`,
            ...list
              .map((n) => index + 1 + n)
              .filter((n) => n < lists.length)
              .map((n) => `s${n}`),
          ),
        ),
      );
    fc.assert(
      fc.property(steps, (list) => {
        const compiled = compileTemplate(template(list), development);
        expect(compiled.steps).toHaveLength(list.length);
        for (const item of compiled.steps) {
          for (const parent of item.dependencies) expect(parent).toBeLessThan(item.ordinal);
          expect(item.dependencies.map((at) => compiled.steps[at]?.name).sort()).toEqual(
            [...new Set(item.definition.dependencies)].sort(),
          );
        }
      }),
    );
  });

  it("counts only dependencies that exist when the task starts", () => {
    const compiled = compileTemplate(
      template([
        after("a"),
        typed("decision", "route", "a"),
        after("branch", "route"),
        typed("batch_worker", "worker", "a"),
        after("odd", "a", "worker"),
      ]),
      development,
    );
    const of = (name: string) => compiled.steps.find((item) => item.name === name);
    expect(of("route")).toMatchObject({ initial: true, pendingDependencies: 1 });
    expect(of("branch")).toMatchObject({ initial: false, pendingDependencies: 0 });
    expect(of("odd")).toMatchObject({ initial: true, pendingDependencies: 1 });
    expect(compiled.isStatic).toBe(false);
  });

  it("delivers the step definition with exactly the contract's keys", () => {
    const written = withWrittenRetry(step("a"), DEFAULT_RETRY);
    const compiled = compileTemplate(template([written]), development);
    expect(Object.keys(JSON.parse(compiled.steps[0]?.definitionJson ?? "")).sort()).toEqual([
      "batch_config",
      "dependencies",
      "description",
      "handler",
      "name",
      "publishes_events",
      "retry",
      "system_dependency",
      "timeout_seconds",
      "type",
    ]);
  });

  it("copies the initialization to the inputs, numbers as written, and null when empty", () => {
    const initialization = { rate: new JsonNumber("1.0"), ["__proto__"]: "kept", list: [1, 2.5] };
    const handler = { callable: "x", method: null, resolver: null, initialization };
    const compiled = compileTemplate(template([step("a", { handler }), step("b")]), development);
    expect(compiled.steps[0]?.inputsJson).toBe('{"rate":1.0,"__proto__":"kept","list":[1,2.5]}');
    expect(compiled.steps[0]?.definitionJson).toContain('"rate":1.0');
    expect(compiled.steps[1]?.inputsJson).toBeNull();
  });

  it("applies the environment's overrides in order", () => {
    const handler = {
      callable: "x",
      method: null,
      resolver: null,
      initialization: { url: "dev", keep: 1 },
    };
    const retry = {
      ...DEFAULT_RETRY,
      max_attempts: 9,
      backoff_base_ms: null,
      max_backoff_ms: null,
    };
    const none = { handler: null, timeout_seconds: null, retry: null };
    const source = template([step("a", { handler, timeout_seconds: 5 }), step("b")], {
      environments: {
        production: {
          steps: [
            {
              ...none,
              name: "ALL",
              timeout_seconds: 60,
              handler: { initialization: { url: "all" } },
            },
            { ...none, name: "a", handler: { initialization: { url: "prod" } }, retry },
            { ...none, name: "nobody", timeout_seconds: 1 },
          ],
        },
      },
    });
    const production = compileTemplate(source, { environment: "production" });
    expect(production.steps.map((item) => item.timeoutMs)).toEqual([60_000, 60_000]);
    expect(production.steps.map((item) => item.inputsJson)).toEqual([
      '{"url":"prod","keep":1}',
      '{"url":"all"}',
    ]);
    expect(production.steps.map((item) => item.maxAttempts)).toEqual([9, 3]);
    const elsewhere = compileTemplate(source, development);
    expect(elsewhere.steps.map((item) => item.timeoutMs)).toEqual([5000, null]);
    expect(elsewhere.steps[0]?.inputsJson).toBe('{"url":"dev","keep":1}');
    expect(compileTemplate(source, { environment: "__proto__" }).steps[0]?.timeoutMs).toBe(5000);
  });

  it("ignores step timeouts where the compatibility profile says so", () => {
    const source = template([step("a", { timeout_seconds: 5 })]);
    const lenient = { environment: "test", enforceStepTimeouts: false };
    expect(compileTemplate(source, lenient).steps[0]?.timeoutMs).toBeNull();
  });

  it("refuses a cycle with its path", () => {
    expect(() =>
      compileTemplate(template([after("a", "b"), after("b", "a")]), development),
    ).toThrow("a → b → a");
  });

  it("compiles 10 000 steps, chained or fanned out, without slowing down by the square", () => {
    const chain = Array.from({ length: 10_000 }, (_, n) =>
      after(`s${n}`, ...(n > 0 ? [`s${n - 1}`] : [])),
    );
    const fan = [
      after("start"),
      ...Array.from({ length: 9_998 }, (_, n) => after(`w${n}`, "start")),
      after("join", ...Array.from({ length: 9_998 }, (_, n) => `w${n}`)),
    ];
    for (const steps of [chain, fan]) {
      const started = performance.now();
      const compiled = compileTemplate(template(steps), development);
      // About 60 ms when written; a quadratic pass over 10 000 steps takes far longer than this.
      expect(performance.now() - started).toBeLessThan(3000);
      expect(compiled.ancestorsOf(9_999)).toHaveLength(9_999);
    }
  });
});

describe("retry delays", () => {
  const global = { baseMs: 5000, capMs: 60_000 };
  const block = { ...DEFAULT_RETRY, backoff_base_ms: null, max_backoff_ms: null };
  const cases = [
    {
      name: "no block, no configuration",
      item: step("a"),
      expected: { baseMs: 1000, capMs: 30_000 },
    },
    { name: "no block: the configuration", item: step("a"), backoff: global, expected: global },
    {
      name: "a block that says nothing of it: the configuration",
      item: withWrittenRetry(step("a"), block),
      backoff: global,
      expected: global,
    },
    {
      name: "written values win",
      item: withWrittenRetry(step("a"), { ...block, backoff_base_ms: 200 }),
      backoff: global,
      expected: { baseMs: 200, capMs: 60_000 },
    },
    {
      name: "written values win even when they equal the defaults",
      item: withWrittenRetry(step("a"), DEFAULT_RETRY),
      backoff: global,
      expected: { baseMs: 1000, capMs: 30_000 },
    },
  ];
  it.each(cases)("$name", ({ item, backoff, expected }) => {
    const env = backoff === undefined ? development : { ...development, backoff };
    const compiled = compileTemplate(template([item]), env);
    expect(compiled.steps[0]?.retry).toEqual({ kind: "exponential", ...expected });
  });
});
