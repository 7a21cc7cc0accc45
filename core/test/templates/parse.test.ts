import { describe, expect, it } from "vitest";
import { templateFromJson, templateToJson } from "../../src/model/index.js";
import { parseTemplate, type TemplateOptions } from "../../src/templates/index.js";

const HEAD = "name: t\nnamespace_name: ns\nversion: 1.0.0\n";

function parsed(text: string, options: TemplateOptions = {}) {
  const { template, diagnostics } = parseTemplate(text, "t.yaml", options);
  expect(diagnostics).toEqual([]);
  if (template === null) throw new Error("no template");
  return template;
}

describe("the normalised form", () => {
  it("fills in every default", () => {
    const template = parsed(`${HEAD}steps:\n  - name: a\n    handler: { callable: do_a }\n`);
    expect(template).toEqual({
      name: "t",
      namespace_name: "ns",
      version: "1.0.0",
      description: null,
      metadata: null,
      system_dependencies: { primary: "default", secondary: [] },
      domain_events: [],
      input_schema: null,
      steps: [
        {
          name: "a",
          description: null,
          handler: { callable: "do_a", method: null, resolver: null, initialization: {} },
          type: "standard",
          system_dependency: null,
          dependencies: [],
          retry: {
            retryable: true,
            max_attempts: 3,
            backoff: "exponential",
            backoff_base_ms: 1000,
            max_backoff_ms: 30_000,
          },
          timeout_seconds: null,
          publishes_events: [],
          batch_config: null,
        },
      ],
      environments: {},
      lifecycle: null,
      identity_strategy: "strict",
    });
  });

  it("keeps everything that is written", () => {
    const template = parsed(`${HEAD}description: all of it
identity_strategy: caller_provided
metadata: { author: me, tags: [a, 1], created_at: 2026-01-02T03:04:05Z }
system_dependencies: { primary: db, secondary: [s3] }
domain_events: [{ name: x, schema: { type: object } }]
input_schema: { type: object, required: [id] }
lifecycle: { max_duration_minutes: 90, staleness_action: none, auto_dlq_on_timeout: true }
environments:
  production:
    steps:
      - { name: ALL, timeout_seconds: 9 }
      - { name: pick, handler: { initialization: { k: 1 } }, retry: { max_attempts: 7 } }
steps:
  - name: start
    handler: { callable: S::Start, method: run, resolver: constant, initialization: { deep: { list: [1, x] } } }
  - name: pick
    step_type: decision
    depends_on: [start]
    handler: { callable: pick }
    retry: { retryable: false, backoff: fibonacci, max_backoff_ms: 5000, redeliver: false }
    timeout_seconds: 30
    result_schema: { type: object }
    composition: [1]
    publishes_events:
      - { name: order.picked, description: d, schema: {}, delivery_mode: fast, condition: always, publisher: A::B }
  - name: work
    type: batch_worker
    dependencies: [start]
    handler: { callable: work }
    batch_config: { batch_size: 10, parallelism: 2, cursor_field: id, worker_template: work, failure_strategy: isolate }
`);
    expect(template).toMatchObject({
      description: "all of it",
      identity_strategy: "caller_provided",
      metadata: { author: "me", tags: ["a", "1"], documentation_url: null, updated_at: null },
      system_dependencies: { primary: "db", secondary: ["s3"] },
      domain_events: [{ name: "x", description: null, schema: { type: "object" } }],
      lifecycle: {
        max_waiting_for_dependencies_minutes: 60,
        max_waiting_for_retry_minutes: 30,
        max_steps_in_process_minutes: 30,
        max_duration_minutes: 90,
        staleness_action: "none",
        auto_fail_on_timeout: null,
        auto_dlq_on_timeout: true,
      },
    });
    expect(template.environments["production"]?.steps).toEqual([
      { name: "ALL", handler: null, timeout_seconds: 9, retry: null },
      {
        name: "pick",
        handler: { initialization: { k: 1 } },
        timeout_seconds: null,
        // A written block takes the defaults of a block, not those of an absent one.
        retry: {
          retryable: true,
          max_attempts: 7,
          backoff: "exponential",
          backoff_base_ms: null,
          max_backoff_ms: null,
        },
      },
    ]);
    expect(template.steps[1]).toMatchObject({
      type: "decision",
      dependencies: ["start"],
      retry: {
        retryable: false,
        max_attempts: 3,
        backoff_base_ms: null,
        max_backoff_ms: 5000,
        redeliver: false,
      },
      result_schema: { type: "object" },
      composition: [1],
      publishes_events: [{ condition: "always", delivery_mode: "fast", publisher: "A::B" }],
    });
    expect(template.steps[2]?.batch_config).toEqual({
      batch_size: 10,
      parallelism: 2,
      cursor_field: "id",
      worker_template: "work",
      failure_strategy: "isolate",
    });
  });

  it("takes text by its source, whatever it would be as a value", () => {
    const lenient = { profile: "tasker-core" } as const;
    const template = parsed(
      "name: 123\nnamespace_name: 'ns'\nversion: 1.0\ndescription: yes\n",
      lenient,
    );
    expect(template).toMatchObject({ name: "123", version: "1.0", description: "yes" });
  });

  it("reads null as absent", () => {
    const template = parsed(
      `${HEAD}description:\nmetadata: ~\nlifecycle: null\nenvironments:\nsteps:\n  - name: a\n    handler: { callable: x, method: null, initialization: }\n    dependencies:\n    retry:\n    timeout_seconds:\n    result_schema: null\n`,
    );
    expect(template.description).toBeNull();
    expect(template.steps[0]?.retry.backoff_base_ms).toBe(1000);
    expect(template.steps[0]).not.toHaveProperty("result_schema");
  });

  it("accepts max_attempts 0: one attempt, no retry", () => {
    const template = parsed(
      `${HEAD}steps: [{ name: a, handler: { callable: x }, retry: { max_attempts: 0 } }]`,
    );
    expect(template.steps[0]?.retry.max_attempts).toBe(0);
  });

  it("follows aliases and reads JSON", () => {
    const template = parsed(
      `${HEAD}steps:\n  - &first { name: a, handler: &h { callable: x } }\n  - { name: b, handler: *h, dependencies: [a] }\n`,
    );
    expect(template.steps[1]?.handler.callable).toBe("x");
    expect(
      parsed(JSON.stringify({ name: "t", namespace_name: "ns", version: "1.0.0" })).steps,
    ).toEqual([]);
  });

  it("keeps kinds of numbers and odd keys of free-form data through storage", () => {
    const template = parsed(`${HEAD}steps:
  - name: a
    handler:
      callable: x
      initialization:
        { float: 1.0, exp: 1e3, int: 3, big: 9007199254740993, hex: 0x1F, zip: 01234, yes: yes, on: true,
          quoted: "1.0", half: .5, __proto__: { polluted: true }, date: 2026-01-02, ~: null-key, 7: seven }
`);
    const stored = templateToJson(template);
    expect(stored).toContain(
      '{"7":"seven","float":1.0,"exp":1000.0,"int":3,"big":9007199254740993,"hex":31,"zip":"01234","yes":"yes","on":true,' +
        '"quoted":"1.0","half":0.5,"__proto__":{"polluted":true},"date":"2026-01-02","~":"null-key"}',
    );
    expect(templateToJson(templateFromJson(stored))).toBe(stored);
    const initialization: { polluted?: unknown } = template.steps[0]?.handler.initialization ?? {};
    expect(initialization.polluted).toBeUndefined();
  });

  it("reads 10 000 steps", () => {
    const steps = Array.from(
      { length: 10_000 },
      (_, n) =>
        `  - name: s${n}\n    handler: { callable: c${n} }\n${n > 0 ? `    dependencies: [s${n - 1}]\n` : ""}`,
    );
    const started = performance.now();
    expect(parsed(`${HEAD}steps:\n${steps.join("")}`).steps).toHaveLength(10_000);
    // About 0.6 s when written; anything quadratic in steps or aliases takes minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
