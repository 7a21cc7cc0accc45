import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { waitFor } from "../../support/wait-for.js";
import { living } from "./support/processes.js";

/** What is promised is one second; a machine with more to do than it has cores for gets five. */
const LIMIT_MS = 5_000;
const HOST = fileURLToPath(new URL("./support/host.ts", import.meta.url));

const database = useTestDatabase({ maxConnections: 3 });
const hosts: ChildProcess[] = [];

afterEach(() => {
  for (const host of hosts.splice(0)) host.kill("SIGKILL");
});

interface Family {
  readonly host: ChildProcess;
  /** Python, Ruby. */
  readonly handlers: readonly number[];
  readonly marker: string;
}

/** A host with both languages, each with a step that computes without a pause and has started a process. */
async function family(): Promise<Family> {
  const marker = String(randomInt(2 ** 47));
  const host = spawn(
    process.execPath,
    ["--conditions=@tasker-core/source", "--import", "tsx", HOST, database.url, marker],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  hosts.push(host);
  const [line] = (await once(createInterface(host.stdout as NodeJS.ReadableStream), "line")) as [
    string,
  ];
  const handlers = JSON.parse(line) as number[];
  await waitFor(() => living({ marker: `86400.${marker}` }).length === 2, { timeoutMs: 30_000 });
  return { host, handlers, marker };
}

/** Resolves with how long it took until nothing of it was left. */
async function untilGone(handlers: readonly number[], marker: string): Promise<number> {
  const startedAt = performance.now();
  const left = () => [
    ...handlers.flatMap((group) => living({ group })),
    ...living({ marker: `86400.${marker}` }),
  ];
  await waitFor(() => left().length === 0, {
    intervalMs: 10,
    timeoutMs: LIMIT_MS,
    describe: () => `all of it to be gone: ${JSON.stringify(left())}`,
  });
  return performance.now() - startedAt;
}

test("kill -9 of the host ends handler processes that hear nothing, and what they have started", async () => {
  const { host, handlers, marker } = await family();
  host.kill("SIGKILL");
  const ms = await untilGone(handlers, marker);
  process.stderr.write(`orphans: all gone ${ms.toFixed(0)} ms after the host\n`);
  expect(ms).toBeGreaterThan(0);
});

test("handler processes that are stopped do not survive their host either", async () => {
  const { host, handlers, marker } = await family();
  for (const pid of handlers) process.kill(pid, "SIGSTOP");
  host.kill("SIGKILL");
  await untilGone(handlers, marker);
});

test("kill -9 of a handler process ends what it has started, and nothing else", async () => {
  const { host, handlers, marker } = await family();
  const [python = 0, ruby = 0] = handlers;
  process.kill(python, "SIGKILL");
  await waitFor(() => living({ group: python }).length === 0, { timeoutMs: LIMIT_MS });
  expect(living({ group: ruby }).length).toBe(2);
  host.kill("SIGKILL");
  await untilGone(handlers, marker);
});

test("the guards go with their host", async () => {
  const { host } = await family();
  const guards = () =>
    living({ marker: "tasker-orphan-guard" }).filter(({ parent }) => parent === host.pid);
  expect(guards().length).toBe(2);
  const pids = guards().map(({ pid }) => pid);
  host.kill("SIGTERM");
  await once(host, "exit");
  await waitFor(() => pids.every((group) => living({ group }).length === 0));
});
