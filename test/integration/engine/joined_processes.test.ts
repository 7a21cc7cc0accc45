import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { REFERENCE_HANDLERS, startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** Handler processes that were started on their own and come in over a socket, with the database behind them. */
const database = useTestDatabase({ maxConnections: 3 });
const directory = mkdtempSync(join(tmpdir(), "tasker-joined-"));
const address = `unix:${directory}/bridge.sock`;
const children: ChildProcess[] = [];
let host: TestEngine;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      echo: [{ name: "only", callable: "reference.echo" }],
      sleep: [{ name: "only", callable: "reference.sleep" }],
    },
    workingDirectory: directory,
    configure: (config) => {
      config.worker.join.addresses = [address];
      config.worker.join.token_file = "token";
      config.worker.join.resume_ms = 200;
      config.lease.handler_wait_seconds = 30;
    },
  });
});
afterEach(async () => {
  for (const child of children.splice(0)) await ended(child, "SIGKILL");
});
afterAll(async () => {
  await assertIntegrity(database.pool);
  await host?.engine.stop();
  expect(existsSync(address.slice("unix:".length))).toBe(false);
  rmSync(directory, { recursive: true });
});

function startPython(workerId: string, slots = 4): ChildProcess {
  const handlers = ["--handlers", REFERENCE_HANDLERS.python, "--slots", String(slots)];
  const child = spawn(
    "python3",
    ["-m", "tasker_core.bridge", ...handlers, "--worker-id", workerId],
    {
      stdio: "ignore",
      env: {
        ...process.env,
        PYTHONPATH: fileURLToPath(new URL("../../../python-bridge/src", import.meta.url)),
        TASKER_BRIDGE: address,
        TASKER_BRIDGE_TOKEN_FILE: join(directory, "token"),
      },
    },
  );
  children.push(child);
  return child;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((settle) => child.once("exit", settle));
  child.kill(signal);
  await exit;
}

const isServed = (): boolean => host.engine.worker.pools.poolOf("reference.echo") !== undefined;

test("steps wait for the process that runs them, and go to it when it has joined", async () => {
  expect(isServed()).toBe(false);
  const task = await host.create("echo", { n: 1 });
  startPython("orders-1");
  const state = await host.engine.waitForTask(task, AbortSignal.timeout(20_000));
  expect(state).toBe("complete");
  expect((await host.steps(task.taskUuid))[0]?.results?.result).toEqual({ n: 1 });
});

test("a fleet shares the work; one that is killed gives its steps to the others", async () => {
  const doomed = startPython("orders-1", 2);
  startPython("orders-2", 2);
  await waitFor(() => host.engine.worker.pools.poolOf("reference.sleep")?.concurrency === 4);
  const tasks = await Promise.all(
    Array.from({ length: 4 }, () => host.create("sleep", { seconds: 1, ms: 1000 })),
  );
  await waitFor(async () => {
    const { rows } = await database.pool.query<{ n: string }>(
      "select count(*)::text as n from tasker.workflow_steps where state = 'in_progress'",
    );
    return rows[0]?.n === "4";
  });
  await ended(doomed, "SIGKILL");
  const states = await Promise.all(
    tasks.map((task) => host.engine.waitForTask(task, AbortSignal.timeout(20_000))),
  );
  expect(states).toEqual(["complete", "complete", "complete", "complete"]);
  for (const task of tasks) expect((await host.steps(task.taskUuid))[0]?.attempts).toBe(1);
});

test("when the last one has gone its handlers are no longer offered, and the next one brings them back", async () => {
  await waitFor(() => !isServed());
  const only = startPython("orders-3");
  await waitFor(() => isServed());
  await ended(only, "SIGTERM");
  await waitFor(() => !isServed());
  const { rows } = await database.pool.query("select from tasker_core.worker_callables");
  expect(rows).toEqual([]);
  const task = await host.create("echo", { n: 2 });
  startPython("orders-4");
  expect(await host.engine.waitForTask(task, AbortSignal.timeout(20_000))).toBe("complete");
});
