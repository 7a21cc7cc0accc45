import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

/** The example of a fourth language runs real tasks: examples/bridge-perl, joined over a Unix socket. */
const database = useTestDatabase({ maxConnections: 3 });
const directory = mkdtempSync(join(tmpdir(), "tasker-perl-"));
const address = `unix:${directory}/bridge.sock`;
const program = fileURLToPath(new URL("../../../examples/bridge-perl/bridge.pl", import.meta.url));
const hasPerl = spawnSync("perl", ["-MJSON::PP", "-e", "1"]).status === 0;
let host: TestEngine;
let child: ChildProcess | undefined;

beforeAll(async () => {
  const retry = { max_attempts: 2, backoff: "none" };
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      order: [
        { name: "first", callable: "reference.echo", retry },
        { name: "second", callable: "reference.checkpoint", retry, dependencies: ["first"] },
        { name: "third", callable: "reference.fail", retry, dependencies: ["second"] },
      ],
    },
    workingDirectory: directory,
    configure: (config) => {
      config.worker.join.addresses = [address];
      config.worker.join.token_file = "token";
      config.lease.handler_wait_seconds = 30;
    },
  });
});
afterAll(async () => {
  await host.engine.stop(); // which tells it to go
  await waitFor(() => child === undefined || child.exitCode !== null);
  expect(child?.exitCode ?? 0).toBe(0);
  rmSync(directory, { recursive: true });
});

test.runIf(hasPerl)("a task runs through the Perl example (skipped without perl)", async () => {
  child = spawn("perl", [program], {
    stdio: "ignore",
    env: {
      ...process.env,
      TASKER_BRIDGE: address,
      TASKER_BRIDGE_TOKEN_FILE: join(directory, "token"),
    },
  });
  const { state, steps } = await host.run("order", {
    order: "größe 😀",
    yields: 2,
    permanent: true,
    message: "no stock",
  });
  expect(state).toBe("blocked_by_failures");
  expect(steps.map((step) => [step.name, step.state, step.attempts])).toEqual([
    ["first", "complete", 1],
    ["second", "complete", 1],
    ["third", "error", 1],
  ]);
  expect(steps[0]?.results?.result).toMatchObject({ order: "größe 😀", permanent: true });
  expect(steps[1]?.results?.result).toEqual({ yields: 2 });
  expect(steps[2]?.results?.error).toMatchObject({ message: "no stock", retryable: false });
});
