import { createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { useTestDatabase } from "../support/test-database.js";
import { waitFor } from "../support/wait-for.js";
import { type CliProcess, type CliProject, createCliProject } from "./cli-support.js";

/** Which HTTP servers a command starts, where, and when it refuses to. */
const database = useTestDatabase();
let project: CliProject;
let running: CliProcess[] = [];
const occupied: Server[] = [];

const WORKER_DEFAULT = 8081;

beforeAll(async () => {
  project = await createCliProject(() => database.url);
  await project.write({ "package.json": '{"type": "module"}' });
  await project.run(["db", "migrate"]);
});
afterEach(async () => {
  for (const { child } of running) child.kill("SIGTERM");
  await Promise.all(running.map(({ result }) => result));
  running = [];
  for (const server of occupied.splice(0)) await new Promise((done) => server.close(done));
});
afterAll(() => project.remove());

interface Ready {
  readonly api: readonly string[];
}

async function ready(
  command: string,
  toml: string,
  env: Record<string, string> = {},
): Promise<Ready & { process: CliProcess }> {
  await project.write({ "tasker.toml": toml });
  const process = project.start([command, "--json", "--config", "tasker.toml"], { env });
  running.push(process);
  await waitFor(() => process.stdout().endsWith("\n") || process.child.exitCode !== null, {
    timeoutMs: 60_000,
  });
  const [line = "{}"] = process.stdout().split("\n");
  return { ...(JSON.parse(line) as Ready), process };
}

const titleAt = async (url: string | undefined): Promise<string> => {
  const answer = await fetch(`${url}/api-docs/openapi.json`);
  return ((await answer.json()) as { info: { title: string } }).info.title;
};

/** Takes a port, unless somebody on this machine has it: both serve the test. */
async function occupy(port: number): Promise<number> {
  const server = createServer();
  const listening = await new Promise<boolean>((settle) => {
    server.once("error", () => settle(false));
    server.listen(port, "127.0.0.1", () => settle(true));
  });
  if (listening) occupied.push(server);
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

const OPEN =
  '[orchestration.web]\nbind_address = "0.0.0.0:0"\n[worker.web]\nbind_address = "127.0.0.1:0"\n';
const OPEN_WORKER = '[worker.web]\nbind_address = "0.0.0.0:0"\n';
const start = async (command: string, toml: string, env: Record<string, string> = {}) => {
  await project.write({ "tasker.toml": toml });
  return await project.start([command, "--json", "--config", "tasker.toml"], { env }).result;
};

test("`dev` serves both, `server` and `worker` their own", async () => {
  const dev = await ready("dev", "");
  expect(await Promise.all(dev.api.map(titleAt))).toEqual([
    "Tasker orchestration",
    "Tasker worker",
  ]);
  const server = await ready("server", "");
  expect(await Promise.all(server.api.map(titleAt))).toEqual(["Tasker orchestration"]);
  const worker = await ready("worker", "");
  expect(await Promise.all(worker.api.map(titleAt))).toEqual(["Tasker worker"]);
}, 120_000);

test("one address for both servers of `dev`: the worker's gets a free port, and the log says so", async () => {
  const port = await occupy(0);
  await new Promise((done) => occupied.pop()?.close(done));
  const address = `127.0.0.1:${port}`;
  const dev = await ready("dev", "", { TASKER_WEB_BIND_ADDRESS: address });
  expect(dev.api[0]).toBe(`http://${address}`);
  expect(dev.api[1]).not.toBe(dev.api[0]);
  expect(await titleAt(dev.api[1])).toBe("Tasker worker");
  expect(dev.process.stderr()).toContain(`both HTTP servers are to listen at ${address}`);
}, 60_000);

test("the worker's default port that is taken is passed over; a chosen one is an error", async () => {
  await occupy(WORKER_DEFAULT);
  const toml = `[worker.web]\nbind_address = "127.0.0.1:${WORKER_DEFAULT}"\n`;
  const worker = await ready("worker", toml);
  expect(worker.api[0]).not.toContain(`:${WORKER_DEFAULT}`);
  expect(await titleAt(worker.api[0])).toBe("Tasker worker");
  expect(worker.process.stderr()).toContain("is in use: it gets a free port");

  const port = await occupy(0);
  const chosen = await start("worker", `[worker.web]\nbind_address = "127.0.0.1:${port}"\n`);
  expect(chosen.code).not.toBe(0);
  expect(chosen.stdout + chosen.stderr).toContain(`127.0.0.1:${port} (worker.web.bind_address)`);
}, 90_000);

test.each([
  ["server", OPEN, "orchestration"],
  ["dev", OPEN, "orchestration"],
  ["worker", OPEN_WORKER, "worker"],
])(
  "`%s` does not serve other machines without authentication",
  async (command, toml, table) => {
    const { code, stdout, stderr } = await start(command, toml);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("BIND_UNSAFE");
    expect(stdout + stderr).toContain(`${table}.web.auth.enabled = true`);
  },
  60_000,
);

test.each([
  ["allow_open", `${OPEN}[orchestration.web.auth]\nallow_open = true\n`],
  ["the compatibility profile", `${OPEN}[compatibility]\nprofile = "tasker-core"\n`],
])(
  "with %s it starts, and warns",
  async (_, toml) => {
    const { api, process } = await ready("server", toml);
    expect(await titleAt(api[0]?.replace("0.0.0.0", "127.0.0.1"))).toBe("Tasker orchestration");
    expect(process.stderr()).toContain("serves every network without authentication");
  },
  60_000,
);

test("with authentication it serves other machines; nobody gets in without a key", async () => {
  const key = "a-key-for-this-test-0123456789";
  const { api, process } = await ready(
    "server",
    `${OPEN}[orchestration.web.auth]\nenabled = true\n[[orchestration.web.auth.api_keys]]\nkey = "${key}"\npermissions = ["tasks:list"]\n`,
  );
  const url = `${api[0]?.replace("0.0.0.0", "127.0.0.1")}/v1/tasks`;
  expect((await fetch(url)).status).toBe(401);
  expect((await fetch(url, { headers: { "x-api-key": key } })).status).toBe(200);
  expect(process.stdout() + process.stderr()).not.toContain(key);
}, 60_000);

test("authentication with nothing to authenticate with is an error that says what to set", async () => {
  const { code, stdout, stderr } = await start(
    "server",
    "[orchestration.web.auth]\nenabled = true\n",
  );
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain("AUTH_UNUSABLE");
  expect(stdout + stderr).toContain("`orchestration.web.auth.enabled` is true");
}, 60_000);
