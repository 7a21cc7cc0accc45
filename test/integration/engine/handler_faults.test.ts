import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, type TestStep } from "../../support/test-engine.js";

/**
 * What a handler in another language can do wrong, and what must become of its step. The same table for Python and Ruby,
 * through real handler processes.
 */
const FAST_RETRY = { max_attempts: 2, backoff: "linear", backoff_base_ms: 100 };
const step = (callable: string, rest: Partial<TestStep> = {}): TestStep[] => [
  { name: "only", callable, ...rest },
];
const TEMPLATES = {
  echo: step("reference.echo"),
  fail: step("reference.fail", { retry: FAST_RETRY }),
  bad_value: step("reference.bad_value", { retry: FAST_RETRY }),
  print: step("reference.print"),
  exit: step("reference.exit"),
  hang: step("reference.sleep", { retry: { max_attempts: 1 }, timeout_seconds: 1 }),
  unknown: step("nobody.answers"),
  chain: [
    { name: "first", callable: "reference.echo" },
    { name: "second", callable: "reference.echo", dependencies: ["first"] },
  ],
};

describe.each(["python", "ruby"] as const)("a %s handler", (language) => {
  const database = useTestDatabase({ maxConnections: 3 });
  let host: TestEngine;

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: TEMPLATES,
      languages: [language],
    });
  });
  afterAll(async () => {
    await assertIntegrity(database.pool);
    await host?.engine.stop();
  });

  test("gets the context and gives back a result with every number as it was", async () => {
    const context = {
      text: "żółć 🚀",
      n: 9007199254740991,
      list: [1, 2.5, null, true],
      nested: { a: {} },
    };
    const { state, steps } = await host.run("chain", context);
    expect(state).toBe("complete");
    expect(steps.map((each) => each.results?.result)).toEqual([context, context]);
  });

  test("raising a permanent error fails the step once, with its message", async () => {
    const { state, steps } = await host.run("fail", { permanent: true, message: "card declined" });
    expect(state).toBe("blocked_by_failures");
    expect(steps[0]).toMatchObject({
      state: "error",
      attempts: 1,
      results: { success: false, error: { message: "card declined", retryable: false } },
    });
  });

  test("raising a retryable error is tried again until the limit", async () => {
    const { steps } = await host.run("fail", { message: "try later" });
    expect(steps[0]).toMatchObject({
      state: "error",
      attempts: 2,
      results: { error: { message: "try later", retryable: true } },
    });
  });

  test("returning something that is not JSON fails the step, not the process", async () => {
    const before = host.pids(language);
    const { steps } = await host.run("bad_value", { kind: "nan" });
    expect(steps[0]).toMatchObject({
      state: "error",
      attempts: 1,
      results: { error: { retryable: false } },
    });
    expect(host.pids(language)).toEqual(before);
  });

  test("printing garbage changes nothing", async () => {
    const { state } = await host.run("print");
    expect(state).toBe("complete");
  });

  test("killing its own process is redelivered, then given up as a crash loop", async () => {
    const { state, steps } = await host.run("exit", {}, 30_000);
    expect(state).toBe("blocked_by_failures");
    expect(steps[0]).toMatchObject({
      state: "error",
      results: { error: { error_type: "crash_loop", retryable: false } },
    });
    const { rows } = await database.pool.query<{ deaths: number }>(
      "select max(deaths) as deaths from tasker_core.steps",
    );
    expect(rows[0]?.deaths).toBe(3);
    const after = await host.run("echo", { still: "serving" });
    expect(after.state).toBe("complete");
  });

  test("hanging past its timeout is stopped and fails with handler_timeout", async () => {
    const { steps } = await host.run("hang", { ms: 60_000 });
    expect(steps[0]).toMatchObject({
      state: "error",
      results: { error: { error_type: "handler_timeout" } },
    });
  });

  test("a callable that nobody answers to is reported, and the step is not lost", async () => {
    expect(host.engine.worker.unservedCallables()).toEqual(["nobody.answers"]);
    const { state, steps } = await host.run("unknown");
    expect(state).toBe("blocked_by_failures");
    expect(steps[0]).toMatchObject({
      state: "error",
      results: {
        error: { error_type: "handler_not_found", message: "Handler not found: nobody.answers" },
      },
    });
  });

  test("kill -9 of the process under load loses nothing and accepts nothing twice", async () => {
    const tasks = await Promise.all(
      Array.from({ length: 60 }, (_, i) => host.create("chain", { i, ms: 5 })),
    );
    for (let kill = 0; kill < 3; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      for (const pid of host.pids(language)) process.kill(pid, "SIGKILL");
    }
    const states = await Promise.all(
      tasks.map((task) => host.engine.waitForTask(task, AbortSignal.timeout(30_000))),
    );
    expect(new Set(states)).toEqual(new Set(["complete"]));
    const { rows } = await database.pool.query<{ results: bigint; steps: bigint }>(
      `select count(*) as results, count(distinct r.step_id) as steps from tasker_core.step_results r
       join tasker_core.steps s on s.step_id = r.step_id
       where r.success and (s.step_id >> 20) = any($1)`,
      [tasks.map((task) => task.taskId.toString())],
    );
    expect(rows[0]).toEqual({ results: 120n, steps: 120n });
  });
});
