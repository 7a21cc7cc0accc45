import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rustLibrary } from "../../test/support/native.js";
import { waitFor } from "../../test/support/wait-for.js";
import { NativePool, resultOf } from "./native-pool.js";

const library = rustLibrary();

describe.skipIf(typeof library === "string")("a library in Rust", () => {
  let pool: NativePool;
  beforeAll(async () => {
    pool = await NativePool.start({ path: (library as { path: string }).path, slots: 2 });
  });
  afterAll(() => pool.stop());

  test("answers many steps at once, each its own", async () => {
    const contexts = Array.from({ length: 200 }, (_, n) => ({
      n,
      text: `é ${n}`,
      big: "9".repeat(30),
    }));
    const outcomes = await Promise.all(contexts.map((context) => pool.run("rust.echo", context)));
    expect(outcomes.map(resultOf)).toEqual(contexts);
  });

  test("a panic fails its step and nothing else", async () => {
    expect(await pool.run("rust.panic")).toMatchObject({
      outcome: "failure",
      kind: "panic",
      message: "The handler panicked: there is nothing here",
      retryable: false,
    });
    expect(resultOf(await pool.run("rust.echo", { still: 1 }))).toEqual({ still: 1 });
    expect(pool.supervisor.metrics()).toMatchObject({ spawned: 1, crashed: 0 });
  });

  test("an error keeps its type, code, retryability and context", async () => {
    const failed = await pool.run("rust.fail");
    expect(failed).toMatchObject({
      kind: "handler",
      errorType: "Declined",
      errorCode: "E42",
      message: "this step always fails",
      retryable: false,
    });
    const detail = failed.outcome === "failure" ? Buffer.from(failed.detail ?? []).toString() : "";
    expect(JSON.parse(detail)).toEqual({ context: { hint: 7 } });
    expect(await pool.run("rust.flaky", {}, { attempt: 2 })).toMatchObject({
      retryable: true,
      retryAfterMs: 1,
      message: "attempt 2 fails",
    });
    const third = await pool.run("rust.flaky", {}, { attempt: 3 });
    expect(resultOf(third)).toEqual({ attempt: 3 });
  });

  test("decisions and batch plans say what they are", async () => {
    expect(await pool.run("rust.route", { n: 500 })).toMatchObject({ resultKind: "decision" });
    expect(resultOf(await pool.run("rust.route", { n: 0 }))).toEqual({
      decision_point_outcome: { type: "no_branches" },
      reason: "there is nothing",
    });
    const plan = await pool.run("rust.analyze", { rows: 70 });
    expect(plan).toMatchObject({ resultKind: "batch_plan" });
    expect(resultOf(plan)).toMatchObject({
      batch_processing_outcome: {
        worker_count: 3,
        total_items: 70,
        cursor_configs: [
          { batch_id: "001" },
          {},
          { start_cursor: 60, end_cursor: 70, batch_size: 10 },
        ],
      },
    });
  });

  test("a cancelled step is told, and says so", async () => {
    const { deliveryId } = pool.offer("rust.wait");
    await waitFor(() => pool.channel.isHeld(deliveryId));
    pool.channel.cancel(deliveryId, "task_cancelled");
    expect(await pool.outcome(deliveryId)).toMatchObject({ kind: "cancelled" });
  });

  test("a callable that it does not have", async () => {
    expect(await pool.run("rust.nobody")).toMatchObject({ kind: "handler_not_found" });
  });
});
