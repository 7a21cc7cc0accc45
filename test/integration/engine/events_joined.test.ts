import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { waitFor } from "../../support/wait-for.js";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const COMMANDS = {
  python: ["python3", "-m", "tasker_core.bridge"],
  ruby: [
    "ruby",
    "-I",
    join(repository, "ruby-bridge/lib"),
    join(repository, "ruby-bridge/exe/tasker-bridge"),
  ],
} as const;

/** Handler processes that were started on their own: they publish and subscribe as those do that the host starts. */
describe.each(["python", "ruby"] as const)("a joined process in %s", (language) => {
  const database = useTestDatabase({ maxConnections: 3 });
  const directory = mkdtempSync(join(tmpdir(), "tasker-events-"));
  const address = `unix:${directory}/bridge.sock`;
  let host: TestEngine;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    host = await startTestEngine({
      databaseUrl: database.url,
      templates: {},
      parsedTemplates: [
        yamlTemplate(
          JSON.stringify({
            name: "published",
            namespace_name: "tests",
            version: "1.0.0",
            identity_strategy: "always_unique",
            steps: [
              {
                name: "only",
                handler: { callable: "events.emit" },
                publishes_events: [
                  {
                    name: "order.shaped",
                    description: "shaped",
                    schema: { type: "object" },
                    publisher: "Shaping",
                    delivery_mode: "fast",
                  },
                ],
              },
            ],
          }),
        ),
      ],
      workingDirectory: directory,
      configure: (config) => {
        config.worker.join.addresses = [address];
        config.worker.join.token_file = "token";
        config.lease.handler_wait_seconds = 30;
      },
    });
  });
  afterAll(async () => {
    await host?.engine.stop();
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  });

  function start(): ChildProcess {
    const [command, ...args] = COMMANDS[language];
    const handlers = join(repository, `test/integration/engine/handlers/events/${language}`);
    const child = spawn(command, [...args, "--handlers", handlers], {
      stdio: "ignore",
      env: {
        ...process.env,
        PYTHONPATH: join(repository, "python-bridge/src"),
        TASKER_BRIDGE: address,
        TASKER_BRIDGE_TOKEN_FILE: join(directory, "token"),
      },
    });
    children.push(child);
    return child;
  }

  const isServed = () => host.engine.worker.pools.poolOf("events.emit") !== undefined;

  async function seen(log: string): Promise<string[]> {
    const read = () =>
      existsSync(log)
        ? readFileSync(log, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as Record<string, string>)
        : [];
    await waitFor(
      () =>
        read().some(({ lifecycle }) => lifecycle === "task.completed") &&
        read().some(({ domain }) => domain !== undefined) &&
        read().some(({ after }) => after !== undefined),
    );
    const names = ["step.completed", "task.completed"];
    return read()
      .flatMap(({ lifecycle, domain, after }) => lifecycle ?? domain ?? `after ${after}`)
      .filter((name) => names.includes(name) || name.includes("order."))
      .sort();
  }

  test("is told what happens, runs its publishers, and so does its successor", async () => {
    const expected = ["after order.shaped", "order.shaped", "step.completed", "task.completed"];
    const first = start();
    await waitFor(isServed);
    const log = join(directory, "first.jsonl");
    expect((await host.run("published", { log })).state).toBe("complete");
    expect(await seen(log)).toEqual(expected);
    const gone = new Promise((settle) => first.once("exit", settle));
    first.kill("SIGTERM");
    await gone;
    await waitFor(() => !isServed());
    start();
    await waitFor(isServed);
    const next = join(directory, "next.jsonl");
    expect((await host.run("published", { log: next })).state).toBe("complete");
    expect(await seen(next)).toEqual(expected);
    expect(host.engine.publisher.counts.skipped).toBe(0);
  });
});
