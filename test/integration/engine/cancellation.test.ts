import { defineHandler, PermanentError, RetryableError } from "@tasker-core/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultConfig } from "../../../core/src/config/index.js";
import type { Pool } from "../../../core/src/db/index.js";
import { OperatorActions } from "../../../core/src/lifecycle/operator-actions.js";
import { planLimits } from "../../../core/src/lifecycle/plans/index.js";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** What a handler is told when its task is cancelled, and what becomes of the answer it gives all the same. */
const templates = (handlers: "own" | "reference") => ({
  sleep: [
    { name: "nap", callable: `${handlers}.sleep`, retry: { max_attempts: 3 } },
    { name: "after", callable: `${handlers}.echo`, dependencies: ["nap"] },
  ],
  echo: [{ name: "only", callable: `${handlers}.echo` }],
});
const LONG_MS = 60_000;

/** Acts as a command line does, with no host of its own. */
const outsideOperator = (pool: Pool) =>
  new OperatorActions({ pool, plans: planLimits(defaultConfig()) });

const typescript = {
  "own.sleep": defineHandler("own.sleep", {}, async ({ context }) => {
    const asked = new Promise<void>((resolve) => {
      context.signal.addEventListener("abort", () => resolve());
    });
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, LONG_MS).unref())]);
    return { was: "too late" };
  }),
  "own.echo": defineHandler("own.echo", {}, () => ({ echo: true })),
};

describe.each(["typescript", "python", "ruby"] as const)("a %s handler", (language) => {
  const database = useTestDatabase({ maxConnections: 4 });
  let host: TestEngine;

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: templates(language === "typescript" ? "own" : "reference"),
      ...(language === "typescript" ? { handlers: typescript } : { languages: [language] }),
      configure: (config) => {
        // One slot: the next step runs only once the cancelled one has let go. A lease whose renewal (a third of it)
        // tells nobody anything within this test.
        config.lease.lease_seconds = 60;
        config.worker.typescript.max_concurrent = 1;
        config.worker.python.slots = 1;
        config.worker.ruby.slots = 1;
      },
    });
  });
  afterAll(async () => {
    await assertIntegrity(database.pool);
    await host?.engine.stop();
  });

  test.each(["this host", "another program"])(
    "is told by %s, its answer is refused, and its slot is free again",
    async (who) => {
      const before = host.pids(language);
      const refused = host.engine.worker.pump.counts.stale;
      const task = await host.create("sleep", { ms: LONG_MS });
      await waitFor(async () => isRunning(host, language), {
        timeoutMs: 10_000,
        describe: () => "the handler to run",
      });
      const operator = who === "this host" ? host.engine : outsideOperator(database.pool);

      const closed = await operator.cancelTask(task.taskUuid, { actor: "ada", reason: "typo" });

      expect(closed).toMatchObject({ state: "cancelled", runningSteps: 1 });
      expect(await host.engine.waitForTask(task, AbortSignal.timeout(10_000))).toBe("cancelled");
      await waitFor(async () => host.engine.worker.pump.counts.stale > refused, {
        timeoutMs: 15_000,
        describe: () => "the handler's answer to be refused",
      });
      expect((await host.run("echo", { n: 1 })).state).toBe("complete");
      const steps = await host.steps(task.taskUuid);
      expect(steps.map(({ state, results }) => [state, results])).toEqual([
        ["cancelled", null],
        ["cancelled", null],
      ]);
      expect(host.pids(language)).toEqual(before);
      expect(host.engine.worker.ledger.size).toBe(0);
    },
  );

  test("is told when its step is completed by hand, and the task goes on with that result", async () => {
    const task = await host.create("sleep", { ms: LONG_MS });
    await waitFor(async () => isRunning(host, language), {
      timeoutMs: 10_000,
      describe: () => "the handler to run",
    });
    const stepUuid = await stepUuidOf(host, task.taskUuid, "nap");

    await host.engine.completeStep(task.taskUuid, stepUuid, { result: { by: "hand" } });

    expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
    const [nap] = await host.steps(task.taskUuid);
    expect(nap).toMatchObject({ state: "complete", results: { result: { by: "hand" } } });
  });
});

describe("without NOTIFY", () => {
  const database = useTestDatabase({ maxConnections: 4 });

  test("a handler hears of the cancellation when its lease is renewed", async () => {
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: templates("own"),
      handlers: typescript,
      configure: (config) => {
        config.worker.event_systems.worker.deployment_mode = "PollingOnly";
      },
    });
    try {
      const task = await host.create("sleep");
      await waitFor(async () => isRunning(host, "typescript"), { timeoutMs: 10_000 });
      await outsideOperator(database.pool).cancelTask(task.taskUuid);
      await waitFor(async () => !isRunning(host, "typescript"), {
        timeoutMs: 15_000,
        describe: () => "the handler to stop",
      });
      await assertIntegrity(database.pool);
    } finally {
      await host.engine.stop();
    }
  });
});

describe("under load", () => {
  const database = useTestDatabase({ maxConnections: 6 });

  test("tasks that are cancelled while they run come to rest, and so do all others", async () => {
    const work = defineHandler("load.work", {}, () => ({ done: true }));
    const flaky = defineHandler("load.flaky", {}, ({ context }) => {
      if (context.attempt === 1) throw new RetryableError("once more");
      return { done: true };
    });
    const retry = { backoff: "linear", backoff_base_ms: 100 };
    const host = await startTestEngine({
      databaseUrl: database.url,
      templates: {
        diamond: [
          { name: "top", callable: "load.work" },
          { name: "left", callable: "load.work", dependencies: ["top"] },
          { name: "right", callable: "load.flaky", dependencies: ["top"], retry },
          { name: "bottom", callable: "load.work", dependencies: ["left", "right"] },
        ],
      },
      handlers: { "load.work": work, "load.flaky": flaky },
    });
    try {
      const operator = outsideOperator(database.pool);
      const tasks = await Promise.all(Array.from({ length: 200 }, () => host.create("diamond")));
      const cancelled = await Promise.all(
        tasks
          .filter((_, i) => i % 2 === 0)
          .map(({ taskUuid }) =>
            operator.cancelTask(taskUuid).catch((error: unknown) => {
              // Done before its turn came: the only refusal there may be.
              expect(error).toMatchObject({ code: "INVALID_TRANSITION" });
              return null;
            }),
          ),
      );
      const states = await Promise.all(
        tasks.map((task) => host.engine.waitForTask(task, AbortSignal.timeout(40_000))),
      );
      const closed = cancelled.filter((result) => result !== null);
      expect(closed.length).toBeGreaterThan(0);
      expect(states.filter((state) => state === "cancelled")).toHaveLength(closed.length);
      expect(states.filter((state) => state === "complete")).toHaveLength(200 - closed.length);
      await waitFor(async () => host.engine.worker.ledger.size === 0, { timeoutMs: 10_000 });
      await assertIntegrity(database.pool);
    } finally {
      await host.engine.stop();
    }
  });
});

describe("operators", () => {
  const database = useTestDatabase({ maxConnections: 4 });
  let host: TestEngine;
  let isMended = false;
  const seen: unknown[] = [];

  beforeAll(async () => {
    const work = defineHandler("work", {}, () => ({ from: "handler" }));
    const gate = defineHandler("gate", {}, () => {
      if (!isMended) throw new PermanentError("broken");
      return { gate: "open" };
    });
    const report = defineHandler(
      "report",
      { depends: { first: "first", gate: "gate" } },
      ({ first, gate: opened }) => {
        seen.push([first, opened]);
        return { reported: true };
      },
    );
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {
        gated: [
          { name: "first", callable: "work" },
          { name: "gate", callable: "gate" },
          { name: "report", callable: "report", dependencies: ["first", "gate"] },
        ],
      },
      handlers: { work, gate, report },
    });
  });
  afterAll(async () => {
    await assertIntegrity(database.pool);
    await host?.engine.stop();
  });

  async function blocked() {
    isMended = false;
    seen.length = 0;
    const { taskUuid, state } = await host.run("gated");
    expect(state).toBe("blocked_by_failures");
    await waitFor(async () => (await host.steps(taskUuid))[0]?.state === "complete", {
      timeoutMs: 10_000,
    });
    return { taskUuid, gate: await stepUuidOf(host, taskUuid, "gate") };
  }
  const settled = (taskUuid: string) =>
    host.engine.waitForTask(taskUuid, AbortSignal.timeout(20_000));

  test("resolve a failed step: its dependents run and the task completes", async () => {
    const { taskUuid, gate } = await blocked();
    const done = await host.engine.resolveStep(taskUuid, gate, { reason: "done by hand" });
    expect(done).toMatchObject({
      fromState: "error",
      toState: "resolved_manually",
      fromTaskState: "blocked_by_failures",
      taskState: "steps_in_process",
      queuedSteps: 1,
    });
    expect(await settled(taskUuid)).toBe("complete");
    expect(seen).toHaveLength(1);
  });

  test("reset a failed step: it runs again, with its attempts counted anew", async () => {
    const { taskUuid, gate } = await blocked();
    isMended = true;
    await host.engine.resetStep(taskUuid, gate, { actor: "ada", reason: "mended" });
    expect(await settled(taskUuid)).toBe("complete");
    const steps = await host.steps(taskUuid);
    expect(steps.map(({ state, attempts }) => [state, attempts])).toEqual([
      ["complete", 1],
      ["complete", 1],
      ["complete", 1],
    ]);
    expect(seen).toEqual([[{ from: "handler" }, { gate: "open" }]]);
  });

  test("replace a result: steps that run later see the new one", async () => {
    const { taskUuid, gate } = await blocked();
    const first = await stepUuidOf(host, taskUuid, "first");
    await host.engine.completeStep(taskUuid, first, {
      result: { from: "operator" },
      metadata: "ticket 7",
      actor: "ada",
      reason: "wrong amount",
    });
    await host.engine.completeStep(taskUuid, gate, { result: { gate: "forced" } });
    expect(await settled(taskUuid)).toBe("complete");
    expect(seen).toEqual([[{ from: "operator" }, { gate: "forced" }]]);
    const { rows } = await database.pool.query<{ body: string }>(
      `select results #>> '{metadata,custom}' as body from tasker.workflow_steps where workflow_step_uuid = $1`,
      [first],
    );
    expect(JSON.parse(rows[0]?.body ?? "null")).toEqual({
      operator_metadata: "ticket 7",
      manually_completed: true,
      completed_by: "ada",
      completion_reason: "wrong amount",
    });
  });

  test("resolve a task: nothing of it runs any more", async () => {
    const { taskUuid } = await blocked();
    const closed = await host.engine.resolveTask(taskUuid, { reason: "obsolete" });
    expect(closed).toMatchObject({ fromState: "blocked_by_failures", state: "resolved_manually" });
    const steps = await host.steps(taskUuid);
    expect(steps.map(({ state }) => state)).toEqual(["complete", "error", "cancelled"]);
  });

  test("are told what a task or step in another state accepts", async () => {
    const { taskUuid, gate } = await blocked();
    const first = await stepUuidOf(host, taskUuid, "first");
    await expect(host.engine.resetStep(taskUuid, first)).rejects.toMatchObject({
      code: "INVALID_TRANSITION",
      message: expect.stringMatching(/does not accept ResetForRetry: it is complete/),
      context: { state: "complete", accepts: ["CompleteManually", "ResolveManually"] },
    });
    await host.engine.cancelTask(taskUuid);
    await expect(host.engine.cancelTask(taskUuid)).rejects.toMatchObject({
      code: "INVALID_TRANSITION",
      context: { state: "cancelled", event: "Cancel" },
    });
    await expect(host.engine.resetStep(taskUuid, gate)).rejects.toMatchObject({
      code: "INVALID_TRANSITION",
      context: { state: "cancelled" },
    });
  });

  test("are told that a task or step does not exist", async () => {
    const one = await blocked();
    const other = await blocked();
    const nobody = "00000000-0000-7000-8000-000000000000";
    await expect(host.engine.cancelTask(nobody)).rejects.toMatchObject({ code: "TASK_NOT_FOUND" });
    await expect(host.engine.resolveStep(nobody, one.gate)).rejects.toMatchObject({
      code: "TASK_NOT_FOUND",
    });
    for (const stepUuid of [nobody, other.gate]) {
      await expect(host.engine.resolveStep(one.taskUuid, stepUuid)).rejects.toMatchObject({
        code: "STEP_NOT_FOUND",
      });
    }
  });
});

/** A handler has the delivery: it is not merely waiting in the channel. */
function isRunning(host: TestEngine, language: string): boolean {
  const pool = host.engine.worker.languages.find((candidate) => candidate.language === language);
  const metrics = pool?.channel.metrics();
  return metrics !== undefined && metrics.pendingCount > metrics.queuedCount;
}

async function stepUuidOf(host: TestEngine, taskUuid: string, name: string): Promise<string> {
  const { rows } = await host.engine.pool.query<{ uuid: string }>(
    "select workflow_step_uuid as uuid from tasker.workflow_steps where task_uuid = $1 and name = $2",
    [taskUuid, name],
  );
  return rows[0]?.uuid ?? "";
}
