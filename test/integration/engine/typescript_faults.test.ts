import { defineHandler, PermanentError, RetryableError } from "@tasker-core/sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";

const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine;
let flakyRuns = 0;
let sawAbort = false;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      linear: [
        { name: "one", callable: "one" },
        { name: "two", callable: "two", dependencies: ["one"] },
      ],
      permanent: [{ name: "only", callable: "permanent" }],
      flaky: [
        { name: "only", callable: "flaky", retry: { backoff: "linear", backoff_base_ms: 100 } },
      ],
      bigint: [{ name: "only", callable: "bigint" }],
      nul: [{ name: "only", callable: "nul" }],
      hang: [{ name: "only", callable: "hang", timeout_seconds: 1, retry: { max_attempts: 1 } }],
    },
    handlers: {
      one: defineHandler("one", { inputs: { n: "n" } }, async ({ n }) => ({ n: Number(n) + 1 })),
      two: defineHandler("two", { depends: { one: "one" } }, async ({ one }) => ({
        n: (one as { n: number }).n * 10,
      })),
      permanent: defineHandler("permanent", {}, async () => {
        throw new PermanentError("no such customer");
      }),
      flaky: defineHandler("flaky", {}, async () => {
        flakyRuns += 1;
        if (flakyRuns < 3) throw new RetryableError("not yet");
        return { runs: flakyRuns };
      }),
      bigint: defineHandler("bigint", {}, async () => ({ amounts: [1n] })),
      nul: defineHandler("nul", {}, async () => ({ text: "a\u0000b" })),
      hang: defineHandler("hang", {}, async ({ context }) => {
        await new Promise<void>((resolve) => {
          context.signal.addEventListener("abort", () => {
            sawAbort = true;
            resolve();
          });
        });
        return {};
      }),
    },
  });
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
});

test("results flow from step to step", async () => {
  const { state, steps } = await host.run("linear", { n: 4 });
  expect(state).toBe("complete");
  expect(steps.map((step) => step.results?.result)).toEqual([{ n: 5 }, { n: 50 }]);
});

test("a permanent error is final", async () => {
  const { state, steps } = await host.run("permanent");
  expect(state).toBe("blocked_by_failures");
  expect(steps[0]).toMatchObject({
    state: "error",
    attempts: 1,
    results: { error: { message: "no such customer", error_type: "permanent_error" } },
  });
});

test("a retryable error succeeds on a later attempt", async () => {
  const { state, steps } = await host.run("flaky");
  expect(state).toBe("complete");
  expect(steps[0]).toMatchObject({ attempts: 3, results: { result: { runs: 3 } } });
});

test("a value that JSON cannot hold names its place", async () => {
  const { steps } = await host.run("bigint");
  expect(steps[0]?.results?.error).toMatchObject({
    error_type: "invalid_result",
    retryable: false,
  });
  expect(steps[0]?.results?.error?.message).toContain("amounts");
});

test("a NUL character, which Postgres cannot show as jsonb, fails that step only", async () => {
  const { steps } = await host.run("nul");
  expect(steps[0]?.results?.error).toMatchObject({
    error_type: "invalid_result",
    retryable: false,
  });
});

test("a hanging handler is told to stop and fails with handler_timeout", async () => {
  const { steps } = await host.run("hang");
  expect(steps[0]?.results?.error?.error_type).toBe("handler_timeout");
  expect(sawAbort).toBe(true);
});

test("the same idempotency key is refused with the task that exists", async () => {
  const first = await host.create("linear", { n: 1 }, "key-1");
  const again = host.create("linear", { n: 2 }, "key-1");
  await expect(again).rejects.toMatchObject({
    code: "TASK_DUPLICATE",
    context: { taskUuid: first.taskUuid },
  });
  await host.engine.waitForTask(first, AbortSignal.timeout(10_000));
});

test("50 requests with one key at the same moment create one task", async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, () => host.create("linear", { n: 1 }, "key-2")),
  );
  const created = outcomes.filter((outcome) => outcome.status === "fulfilled");
  expect(created).toHaveLength(1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason.code).toBe("TASK_DUPLICATE");
  }
});

test.each([
  ["an unknown template", { name: "nothing" }, "TEMPLATE_NOT_FOUND"],
  ["an unknown version", { name: "linear", version: "9.9.9" }, "TEMPLATE_NOT_FOUND"],
  ["a context that is no object", { name: "linear", context: [1] }, "TASK_REQUEST_INVALID"],
] as const)("%s is refused", async (_, request, code) => {
  const create = host.engine.createTask({
    namespace: "tests",
    version: "1.0.0",
    context: {},
    ...request,
  });
  await expect(create).rejects.toMatchObject({ code });
});

test("a large fan-out over several batches completes", async () => {
  const { state, steps } = await host.run("linear", { n: 1, text: "x".repeat(200_000) });
  expect([state, steps.length]).toEqual(["complete", 2]);
});
