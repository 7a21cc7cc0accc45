import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import {
  type CliProject,
  type CliResult,
  chainTemplate,
  createCliProject,
  HANDLERS,
} from "./cli-support.js";

/** Client commands: the same on the database and over a server; what only one of them can do says so. */
const database = useTestDatabase();
let project: CliProject;
let server = "";

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({
    "handlers/all.ts": HANDLERS,
    "config/tasks/fails.yaml": chainTemplate("fails", ["add", "refuse", "done"]),
    "other.yaml": chainTemplate("fails", ["add", "done"]),
  });
  const dev = project.start(["dev", "--json", "--no-watch", "--ts", "handlers"]);
  await waitFor(() => dev.stdout().includes('"event":"ready"'), { timeoutMs: 60_000 });
  const { api } = JSON.parse(dev.stdout().split("\n")[0] ?? "{}") as { api: string[] };
  server = api[0] ?? "";
}, 90_000);
afterAll(() => project.remove());

const json = ({ stdout }: CliResult) => JSON.parse(stdout);
const ON_SERVER = (): string[] => ["--server", server];
const ON_DATABASE = (): string[] => [];

describe.each([
  ["over a server", ON_SERVER, 1],
  ["on the database", ON_DATABASE, 2],
])("%s", (_, where, n) => {
  const run = (...args: string[]) => project.run([...args, ...where()]);

  it("creates a task, watches it to its end, and retries it", async () => {
    const created = await run(
      ...[
        "task",
        "create",
        "--name",
        "fails",
        "-n",
        "cli",
        "-p",
        "7",
        "-i",
        `{"n": ${n}}`,
        "--json",
      ],
    );
    expect(created, created.stderr).toMatchObject({ code: 0 });
    expect(json(created)).toMatchObject({ name: "fails", priority: 7, initiator: "tasker-ctl" });
    const task: string = json(created).task_uuid;

    const watched = await run("task", "watch", task, "--timeout", "60");
    expect(watched.code).toBe(1);
    expect(watched.stdout).toContain(`Task ${task} is blocked_by_failures`);

    const steps = json(await run("task", "steps", task, "--json")).steps;
    expect(steps.map((step: Record<string, unknown>) => step["current_state"])).toEqual([
      "complete",
      "error",
      "pending",
    ]);
    const got = await run("task", "get", task);
    expect(got.stdout).toMatch(/blocked_by_failures[\s\S]*step_1/);
    expect((await run("task", "step", task, "step_1")).stdout).toContain("the card was declined");
    const audit = await run("task", "step-audit", task, "step_1");
    expect(audit.stdout).toContain("enqueued_as_error_for_orchestration");
    const drawn = await run("task", "visualize", task, "--graph-only");
    expect(drawn.stdout).toMatch(/^flowchart TD\n[\s\S]*s0 --> s1/);

    const retried = await run("task", "retry", task, "-r", "again", "--json");
    expect(json(retried)).toMatchObject({ task_uuid: task, reset: [{ name: "step_1" }] });
    const cancelled = await run("task", "cancel", task);
    expect(cancelled.stdout).toContain("Task cancelled successfully!");
    expect((await run("task", "retry", task, "-r", "again")).stderr).toMatch(
      /TASK|RETRY|Cannot|error/,
    );
  }, 400_000);

  it("lists templates, tasks and dead letters", async () => {
    expect((await run("template", "list")).stdout).toMatch(/cli\/fails\s+1\.0\.0\s+3/);
    expect((await run("template", "info", "cli/fails")).stdout).toContain("step_2");
    expect((await run("task", "list", "-n", "cli")).stdout).toContain("cli/fails 1.0.0");
    expect((await run("dlq", "list")).stdout).toBe("No dead letters.\n");
    expect((await run("dlq", "stats")).stdout).toBe("No dead letters.\n");
  }, 300_000);

  it("says what is wrong in the words of the API", async () => {
    const unknown = await run("task", "create", "--name", "nobody", "-i", "{}");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain("Task template not found: default/nobody/1.0.0");
    const nobody = "00000000-0000-7000-8000-000000000000";
    const entry = await run("dlq", "update", nobody, "-s", "cancelled");
    expect([entry.code, entry.stderr]).toEqual([1, expect.stringContaining("not found")]);
  }, 300_000);
});

it("what only the database knows says so", async () => {
  const refused = await project.run(["worker", "list", ...ON_SERVER()]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("SERVER_CANNOT")]);
  const list = await project.run(["worker", "list"]);
  expect(list.stdout).toMatch(/alive/);
  expect((await project.run(["worker", "health"])).code).toBe(0);
  expect((await project.run(["queue", "list", "-n", "cli"])).stdout).toContain("worker_cli_queue");
  const peeked = await project.run(["queue", "peek", "worker_cli_queu"]);
  expect(peeked.stderr).toContain("did you mean `worker_cli_queue`?");
}, 300_000);

it("profiles name servers, and credentials go along", async () => {
  const seen: Record<string, unknown>[] = [];
  const fake: Server = createServer((request, response) => {
    seen.push({ url: request.url, ...request.headers });
    response.statusCode = 403;
    const error = { code: "FORBIDDEN", message: "Missing required permission: tasks:list" };
    response.end(JSON.stringify({ error }));
  });
  await new Promise<void>((listening) => fake.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(fake.address() as AddressInfo).port}`;
  try {
    expect((await project.run(["profile", "init"])).code).toBe(0);
    const added = ["profile", "add", "fake", "--orchestration-url", url, "-d", "a fake"];
    expect((await project.run(added)).code).toBe(0);
    expect((await project.run(["profile", "list"])).stdout).toContain("a fake");
    const denied = await project.start(["task", "list", "--profile", "fake"], {
      env: { TASKER_API_KEY: "k-secret-1" },
    }).result;
    expect(denied.code).toBe(3);
    expect(denied.stderr).toContain(
      "Could not list the tasks: permission denied: Missing required permission: tasks:list",
    );
    expect(seen).toMatchObject([
      { "x-api-key": "k-secret-1", url: "/v1/tasks?page=1&per_page=20" },
    ]);
    const shown = await project.start(["profile", "show", "fake"], {
      env: { TASKER_API_KEY: "k-secret-1" },
    }).result;
    expect(shown.stdout).toContain("[redacted]");
    expect(shown.stdout).not.toContain("k-secret-1");
    const misspelt = await project.run(["task", "list", "--profile", "fak"]);
    expect(misspelt.stderr).toMatch(/there is no profile `fak` \(did you mean `fake`\?\)/);
  } finally {
    await new Promise((closed) => fake.close(closed));
  }
}, 300_000);

it("compares templates, and completes command lines", async () => {
  const diff = await project.run(["template", "diff", "config/tasks/fails.yaml", "other.yaml"]);
  expect(diff.code).toBe(1);
  expect(diff.stdout).toMatch(/~ steps\.step_1\.handler\.callable: "refuse" -> "done"/);
  expect(diff.stdout).toMatch(/^- steps\.step_2: /m);
  const words = await project.run(["completion", "--for", "dlq"]);
  expect(words.stdout.split("\n")).toEqual(expect.arrayContaining(["list", "get", "update"]));
  for (const shell of ["bash", "zsh", "fish"]) {
    expect((await project.run(["completion", shell])).stdout).toContain("tasker completion --for");
  }
}, 300_000);
