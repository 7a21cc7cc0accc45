import { describe, expect, it } from "vitest";
import type { StepCompletion, StepFailure } from "../../src/channels/index.js";
import { reportOf, retryAfterMs } from "../../src/worker/step-report.js";

const NOW = Date.parse("2026-03-01T12:00:00Z");

describe("the Retry-After header (contract/states.md section 6)", () => {
  it.each([
    ["0", 0],
    ["120", 120_000],
    [" 7 ", 7_000],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["Sun, 01 Mar 2026 12:00:30 +0000", 30_000],
    ["Sun, 1 Mar 2026 13:01:00 +0100", 60_000],
    ["1 Mar 2026 12:00:30 GMT", 30_000],
  ])("%s is %i ms", (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms);
  });

  it.each([
    "",
    "soon",
    "-5",
    "1.5",
    "2030-01-01",
    "2030-01-01T00:00:00Z",
    "12 monkeys",
    "Sun, 01 Mar 2026 11:59:30 GMT",
    "Sun, 01 Mar 2026 12:00:00 GMT",
    "Sun, 41 Foo 2026 12:00:30 GMT",
  ])("`%s` counts as none", (header) => {
    expect(retryAfterMs(header, NOW)).toBeNull();
  });
});

describe("a server's wish in a stored failure", () => {
  const completion = {
    delivery: { stepUuid: "s", stepId: 1n, leaseToken: 1n },
    workerName: "w",
  } as unknown as StepCompletion;
  const failure = (detail: unknown, retryAfter: number | null = null): StepFailure => ({
    outcome: "failure",
    kind: "handler",
    errorType: "RetryableError",
    errorCode: null,
    message: "busy",
    retryable: true,
    retryAfterMs: retryAfter,
    statusCode: null,
    detail: Buffer.from(JSON.stringify(detail)),
    executionMs: 1,
  });
  const headers = (value: string) => ({
    orchestration_metadata: { headers: { "retry-AFTER": value } },
  });
  const hint = (delay_seconds: unknown) => ({
    orchestration_metadata: { backoff_hint: { delay_seconds } },
  });

  it.each([
    [{}, 1500, 1500],
    [{}, null, null],
    [headers("9"), null, 9_000],
    [headers("9"), 5, 5],
    [headers("never"), null, null],
    [hint(2.5), null, 2_500],
    [hint(-1), null, null],
    [
      {
        orchestration_metadata: {
          ...headers("4").orchestration_metadata,
          backoff_hint: { delay_seconds: 8 },
        },
      },
      null,
      4_000,
    ],
    // Beyond what the column holds: a wish like any other, not a result that cannot be stored.
    [headers("99999999999"), null, 2_147_483_647],
    [{}, 1e15, 2_147_483_647],
    [hint(1e12), null, 2_147_483_647],
  ])("%j with retryAfterMs %j is %j ms", (detail, retryAfter, ms) => {
    expect(reportOf(completion, failure(detail, retryAfter)).hintMs).toBe(ms);
  });
});
