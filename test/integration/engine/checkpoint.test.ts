import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";
import { items, itemsTemplates } from "./support/items.js";

/**
 * Checkpoint yields (`contract/wire-types.md` section 5) through real handlers: ten items in chunks of three, so three
 * yields and a result. Whatever happens in between, each item is counted once.
 */
const SUM = 55;
const STARTS = [0, 3, 6, 9];
const database = useTestDatabase({ maxConnections: 3 });

async function start(language: string, historyLimit = 100): Promise<TestEngine> {
  const isOurs = language === "typescript";
  return await startTestEngine({
    databaseUrl: database.url,
    templates: itemsTemplates(language),
    handlers: isOurs ? { "typescript.items": items } : {},
    languages: isOurs ? [] : [language as "python" | "ruby"],
    configure: (config) => {
      config.pump.checkpoint_history_limit = historyLimit;
    },
  });
}

interface Trail {
  readonly checkpoint: {
    readonly cursor: number;
    readonly items_processed: number;
    readonly accumulated_results: { readonly sum: number; readonly starts: number[] };
    readonly history: readonly { readonly cursor: number }[];
  } | null;
  readonly yields: number;
  readonly results: number;
}

async function trailOf(taskUuid: string): Promise<Trail> {
  const { rows } = await database.pool.query<{
    checkpoint: string | null;
    yields: bigint;
    results: bigint;
  }>(
    `select s.checkpoint,
       (select count(*) from tasker_core.step_log l where l.step_id = s.step_id and l.move = 'checkpoint') as yields,
       (select count(*) from tasker_core.step_results r where r.step_id = s.step_id) as results
     from tasker.workflow_steps s where s.task_uuid = $1`,
    [taskUuid],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`Task ${taskUuid} has no step`);
  return {
    checkpoint: row.checkpoint === null ? null : JSON.parse(row.checkpoint),
    yields: Number(row.yields),
    results: Number(row.results),
  };
}

/** The task's only step has got this far, as stored. */
async function untilProcessed(taskUuid: string, count: number): Promise<void> {
  const reached = async (): Promise<boolean> =>
    ((await trailOf(taskUuid)).checkpoint?.items_processed ?? 0) >= count;
  await waitFor(reached, { describe: `checkpoint ${count}`, intervalMs: 5 });
}

afterAll(async () => {
  await assertIntegrity(database.pool);
});

describe.each(["typescript", "python", "ruby"] as const)("a yielding %s handler", (language) => {
  let host: TestEngine;
  beforeAll(async () => {
    host = await start(language);
  });
  afterAll(async () => {
    await host?.engine.stop();
  });

  test("goes on from its checkpoint, in one attempt, to the exact result", async () => {
    const { state, steps, taskUuid } = await host.run("items");
    expect(state).toBe("complete");
    expect(steps[0]).toMatchObject({
      attempts: 1,
      results: { result: { sum: SUM, starts: STARTS, retry_count: 0 } },
    });
    const { checkpoint, ...counts } = await trailOf(taskUuid);
    expect(counts).toEqual({ yields: 3, results: 1 });
    expect(checkpoint).toMatchObject({
      cursor: 9,
      items_processed: 9,
      accumulated_results: { sum: 45, starts: [0, 3, 6] },
      history: [{ cursor: 3 }, { cursor: 6 }, { cursor: 9 }],
    });
  });

  test("that fails after its second yield is retried from what it stored", async () => {
    const { state, steps, taskUuid } = await host.run("items", { fail_at: 6 });
    expect(state).toBe("complete");
    expect(steps[0]).toMatchObject({
      attempts: 2,
      results: { result: { sum: SUM, starts: STARTS, retry_count: 1 } },
    });
    expect(await trailOf(taskUuid)).toMatchObject({ yields: 3, results: 2 });
  });

  test("a hundred of them at once, more than there are slots, each count exactly", async () => {
    const tasks = await Promise.all(
      Array.from({ length: 100 }, (_, n) => host.create("items", { items: 10 + (n % 5), ms: 1 })),
    );
    const states = await Promise.all(
      tasks.map((task) => host.engine.waitForTask(task, AbortSignal.timeout(30_000))),
    );
    expect(new Set(states)).toEqual(new Set(["complete"]));
    const sums = await Promise.all(
      tasks.map(async ({ taskUuid }) => (await host.steps(taskUuid))[0]?.results?.result),
    );
    const expected = tasks.map((_, n) => ((10 + (n % 5)) * (11 + (n % 5))) / 2);
    expect(sums.map((result) => (result as { sum: number }).sum)).toEqual(expected);
  });
});

describe.each(["python", "ruby"] as const)("a %s process", (language) => {
  let host: TestEngine;
  beforeAll(async () => {
    host = await start(language);
  });
  afterAll(async () => {
    await host?.engine.stop();
  });

  test("gets its numbers back as it stored them", async () => {
    const { taskUuid } = await host.run("items");
    const { rows } = await database.pool.query<{ results: string; checkpoint: string }>(
      "select results::text, checkpoint::text from tasker.workflow_steps where task_uuid = $1",
      [taskUuid],
    );
    expect(JSON.parse(rows[0]?.results ?? "").result.is_float).toBe(true);
    expect(rows[0]?.results).toContain('"big": 9007199254740993');
    expect(rows[0]?.checkpoint).toContain('"weight": 3.0');
  });

  test("killed between yields loses nothing that was stored, and no attempt", async () => {
    const task = await host.create("items", { ms: 150 });
    await untilProcessed(task.taskUuid, 3);
    for (const pid of host.pids(language)) process.kill(pid, "SIGKILL");
    expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
    const [step] = await host.steps(task.taskUuid);
    expect(step).toMatchObject({ attempts: 1, results: { result: { sum: SUM, starts: STARTS } } });
    expect(await trailOf(task.taskUuid)).toMatchObject({ yields: 3, results: 1 });
  });
});

test("a host that is killed between yields: another one goes on from the last checkpoint", async () => {
  const worker = fileURLToPath(new URL("./support/items-worker.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--conditions=@tasker-core/source", "--import", "tsx", worker, database.url, '{"ms":150}'],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = once(child, "exit");
  const [taskUuid] = (await once(createInterface(child.stdout), "line")) as [string];
  await untilProcessed(taskUuid, 3);
  child.kill("SIGKILL");
  await exited;
  const before = await trailOf(taskUuid);
  expect(before.results).toBe(0);

  const host = await start("typescript");
  expect(await host.engine.waitForTask(taskUuid, AbortSignal.timeout(20_000))).toBe("complete");
  const [step] = await host.steps(taskUuid);
  await host.engine.stop();
  expect(step).toMatchObject({ attempts: 1, results: { result: { sum: SUM, starts: STARTS } } });
  expect(await trailOf(taskUuid)).toMatchObject({ yields: 3, results: 1 });
});

test("a host that drains between yields gives the step back with its progress", async () => {
  const first = await start("typescript");
  const task = await first.create("items", { ms: 100 });
  await untilProcessed(task.taskUuid, 3);
  await first.engine.stop();
  const { checkpoint, results } = await trailOf(task.taskUuid);
  expect(results).toBe(0);
  expect(checkpoint?.items_processed).toBeLessThan(10);

  const second = await start("typescript", 2);
  expect(await second.engine.waitForTask(task.taskUuid, AbortSignal.timeout(20_000))).toBe(
    "complete",
  );
  const [step] = await second.steps(task.taskUuid);
  await second.engine.stop();
  expect(step).toMatchObject({ attempts: 1, results: { result: { sum: SUM, starts: STARTS } } });
  const { history } = (await trailOf(task.taskUuid)).checkpoint ?? { history: [] };
  expect(history.map(({ cursor }) => cursor)).toEqual([6, 9]);
});

test("a task cancelled between yields stores no further one", async () => {
  const host = await start("typescript");
  const task = await host.create("items", { items: 300, ms: 50 });
  await untilProcessed(task.taskUuid, 3);
  await host.engine.cancelTask(task.taskUuid);
  const before = await trailOf(task.taskUuid);
  await waitFor(() => host.engine.worker.ledger.size === 0, { describe: "the handler to end" });
  expect(await trailOf(task.taskUuid)).toEqual(before);
  expect(await host.steps(task.taskUuid)).toMatchObject([{ state: "cancelled", results: null }]);
  await host.engine.stop();
});

test("progress that the database refuses fails the attempt with checkpoint_error, and is retried", async () => {
  const host = await start("typescript");
  await database.pool.query(
    "alter table tasker_core.step_checkpoints add constraint not_beyond_six check (items_processed < 6) not valid",
  );
  const { state, steps, taskUuid } = await host.run("items");
  await database.pool.query(
    "alter table tasker_core.step_checkpoints drop constraint not_beyond_six",
  );
  await host.engine.stop();
  expect(state).toBe("blocked_by_failures");
  expect(steps[0]).toMatchObject({
    attempts: 3,
    results: {
      error: {
        error_type: "checkpoint_error",
        retryable: true,
        message: expect.stringMatching(/^Checkpoint yield failed: .*not_beyond_six/),
      },
    },
  });
  expect((await trailOf(taskUuid)).checkpoint).toMatchObject({ cursor: 3 });
});
