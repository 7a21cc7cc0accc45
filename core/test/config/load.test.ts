// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders are what is tested
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Config,
  formatProblem,
  type LoadedConfig,
  loadConfig,
} from "../../src/config/index.js";
import { isTaskerError } from "../../src/errors/index.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tasker-config-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function load(env: Record<string, string> = {}, overrides = {}): LoadedConfig {
  return loadConfig({ env, workingDirectory: root, overrides });
}

/** One merged file with this text, and what loading it says. */
function loadText(text: string, env: Record<string, string> = {}): LoadedConfig {
  return load({ ...env, TASKER_CONFIG_PATH: write("merged.toml", text) });
}

function problemsOf(text: string, env: Record<string, string> = {}): string[] {
  try {
    loadText(text, env);
  } catch (error) {
    if (!isTaskerError(error, "CONFIG_INVALID")) throw error;
    return error.message.replaceAll(`${root}/`, "").split("\n  ").slice(1);
  }
  return [];
}

const warningsOf = (loaded: LoadedConfig): string[] =>
  loaded.warnings.map((warning) => formatProblem(warning).replaceAll(`${root}/`, ""));

describe("without files", () => {
  it("the built-in defaults apply, on loopback", () => {
    const { config, sources, warnings } = load();
    expect({ sources, warnings }).toEqual({ sources: [], warnings: [] });
    expect(config.orchestration.web.bind_address).toBe("127.0.0.1:8080");
    expect(config.worker.web.bind_address).toBe("127.0.0.1:8081");
    expect(config.common.database.url.isEmpty).toBe(true);
    expect(config.lease).toEqual({
      lease_seconds: 10,
      guard_thread: true,
      max_deaths: 3,
      handler_wait_seconds: 15,
    });
  });

  it("variables stand in for the keys that follow them", () => {
    const { config } = load({
      DATABASE_URL: "postgresql://me:p%40ss@db.local:5432/tasker?sslmode=require",
      TASKER_ENV: "production",
      TASKER_WEB_BIND_ADDRESS: "10.0.0.1:80",
      RUST_LOG: "tasker=trace,warn",
    });
    expect(config.common.database.url.reveal()).toContain("p%40ss@db.local");
    expect(config.common.execution.environment).toBe("production");
    expect(config.orchestration.web.bind_address).toBe("10.0.0.1:80");
    expect(config.logging.level).toBe("warn");
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain("p%40ss");
  });

  it("refuses a variable that does not match its pattern, without showing it", () => {
    const attempt = (): unknown =>
      load({ DATABASE_URL: "mysql://me:secret@db/x", TASKER_ENV: "staging" });
    expect(attempt).toThrow("DATABASE_URL is not usable: expected postgresql://");
    expect(attempt).toThrow("TASKER_ENV is not usable: expected test, development or production");
    expect(attempt).not.toThrow("secret");
  });

  it("takes .env below the environment", () => {
    write(".env", 'TASKER_ENV=production\nTASKER_WORKER_ID="from-dotenv"\n');
    const { config, env } = load({ TASKER_ENV: "test" });
    expect(config.common.execution.environment).toBe("test");
    expect(config.worker.worker_id).toBe("from-dotenv");
    expect(env["TASKER_WORKER_ID"]).toBe("from-dotenv");
  });

  it("lets overrides win over everything", () => {
    write("config/tasker/base/common.toml", "[pump]\nbatch_size = 7\n");
    const { config } = load(
      { LOG_LEVEL: "error" },
      { pump: { batch_size: 9 }, logging: { level: "debug" } },
    );
    expect(config.pump.batch_size).toBe(9);
    expect(config.logging.level).toBe("debug");
  });
});

describe("component files", () => {
  it("merge base and environment, table by table, arrays replaced, docs dropped", () => {
    write(
      "config/tasker/base/common.toml",
      '[common.backoff]\ndefault_backoff_seconds = [9, 8, 7]\nmax_backoff_seconds = 77\n[common.backoff._docs]\nx = "y"\n',
    );
    write("config/tasker/base/worker.toml", '[worker]\nworker_id = "w"\nworker_id_docs = "text"\n');
    write(
      "config/tasker/environments/test/common.toml",
      "[common.backoff]\ndefault_backoff_seconds = [1]\n",
    );
    const { config, sources, warnings } = load({ TASKER_ENV: "test" });
    expect(config.common.backoff).toMatchObject({
      default_backoff_seconds: [1],
      max_backoff_seconds: 77,
      jitter_enabled: true,
    });
    expect(config.worker.worker_id).toBe("w");
    expect(warnings).toEqual([]);
    expect(sources.map((file) => file.replace(`${root}/config/tasker/`, ""))).toEqual([
      "base/common.toml",
      "base/worker.toml",
      "environments/test/common.toml",
    ]);
    expect(load().config.common.backoff.default_backoff_seconds).toEqual([9, 8, 7]);
  });

  it("are looked for where TASKER_CONFIG_ROOT says", () => {
    write("elsewhere/tasker/base/common.toml", "[pump]\nbatch_size = 7\n");
    expect(load({ TASKER_CONFIG_ROOT: join(root, "elsewhere") }).config.pump.batch_size).toBe(7);
  });

  it("give the place of the file that counts", () => {
    write("config/tasker/base/common.toml", "[pump]\nbatch_size = 7\n");
    const overlay = write(
      "config/tasker/environments/development/common.toml",
      "\n[pump]\nbatch_size = 0\n",
    );
    expect(() => load()).toThrow(
      `${overlay}:3:1: expected \`pump.batch_size\` to be an integer from 1 to 1000, got \`0\``,
    );
  });
});

describe("a merged file", () => {
  it("must exist when it is named", () => {
    expect(() => load({ TASKER_CONFIG_PATH: join(root, "none.toml") })).toThrow(
      "none.toml does not exist",
    );
  });

  it("lists all its problems with their places", () => {
    const text = `[common.database.pool]
max_connections = 0
acquire_timeout_seconds = "10"
[common.queues]
backend = "kafka"
pgmq.poll_interval_ms = 1.5

[orchestration.web]
bind_address = "8080"
auth = { enabled = "yes" }

[[orchestration.web.auth_keys]]
[[worker.web.auth.api_keys]]
key = "ok"
[[worker.web.auth.api_keys]]
key = ""
[worker]
python.command = []
routes = { pay = "cobol" }
`;
    expect(problemsOf(text)).toEqual([
      "merged.toml:2:1: expected `common.database.pool.max_connections` to be an integer from 1 to 1000, got `0`",
      'merged.toml:3:1: expected `common.database.pool.acquire_timeout_seconds` to be an integer from 1 to 300, got `"10"`',
      'merged.toml:5:1: expected `common.queues.backend` to be one of pgmq, rabbitmq, got `"kafka"`',
      "merged.toml:6:1: expected `common.queues.pgmq.poll_interval_ms` to be an integer from 10 to 10000, got `1.5`",
      'merged.toml:9:1: expected `orchestration.web.bind_address` to be an address such as 127.0.0.1:8080, got `"8080"`',
      'merged.toml:10:1: expected `orchestration.web.auth.enabled` to be true or false, got `"yes"`',
      "merged.toml:16:1: expected `worker.web.auth.api_keys.1.key` to be text that is not empty, got a string",
      "merged.toml:18:1: expected `worker.python.command` to be a program, or a list of a program and its arguments, got an empty list",
      'merged.toml:19:1: expected `worker.routes.pay` to be one of typescript, python, ruby, native, got `"cobol"`',
      "merged.toml:12:1: unknown key `orchestration.web.auth_keys` is ignored (warning)",
    ]);
  });

  it.each([
    ["a = 1\nb = = 2\n", "merged.toml:2:5: not valid TOML:"],
    [
      "[a]\nx = 1\n[a]\ny = 2\n",
      "merged.toml:3:1: not valid TOML: Cannot redefine existing key 'a'.",
    ],
  ])("reports a syntax error at its place: %j", (text, expected) => {
    expect(problemsOf(text)).toHaveLength(1);
    expect(problemsOf(text)[0]).toContain(expected);
  });

  it("warns about keys that nothing reads, and goes on", () => {
    const loaded = loadText(
      '[common.backoff]\nmax_backof_seconds = 5\n[worker]\nworker_type = "w"\ncolour = 1\n[templats]\nx = 1\n',
    );
    expect(warningsOf(loaded).sort()).toEqual([
      "merged.toml:2:1: unknown key `common.backoff.max_backof_seconds` is ignored (did you mean `max_backoff_seconds`?)",
      "merged.toml:5:1: unknown key `worker.colour` is ignored",
      "merged.toml:6:1: unknown key `templats` is ignored (did you mean `templates`?)",
    ]);
    expect(loaded.config.worker.worker_type).toBe("w");
  });

  it("accepts a single text as a command", () => {
    const { config } = loadText(
      '[worker.python]\ncommand = "python3.12"\n[worker.ruby]\ncommand = ["bundle", "exec", "ruby"]\n',
    );
    expect([config.worker.python.command, config.worker.ruby.command]).toEqual([
      ["python3.12"],
      ["bundle", "exec", "ruby"],
    ]);
  });
});

describe("interpolation", () => {
  const idOf = (text: string, env: Record<string, string> = {}): Config["worker"]["worker_id"] =>
    loadText(`[worker]\n# \${NOT_LOOKED_AT}\nworker_id = "${text}"\n`, env).config.worker.worker_id;

  it("uses the variable, else the default, which may be empty", () => {
    expect(idOf("${TASKER_WORKER_ID:-fallback}")).toBe("fallback");
    expect(idOf("${TASKER_WORKER_ID:-fallback}", { TASKER_WORKER_ID: "w-1" })).toBe("w-1");
    expect(idOf("a${TASKER_WORKER_ID:-}b")).toBe("ab");
  });

  it("uses an empty but set variable", () => {
    const text = '[common.pgmq_database]\nurl = "${PGMQ_DATABASE_URL:-postgresql://localhost/q}"\n';
    expect(loadText(text, { PGMQ_DATABASE_URL: "" }).config.common.pgmq_database.url.isEmpty).toBe(
      true,
    );
    expect(loadText(text).config.common.pgmq_database.url.reveal()).toBe(
      "postgresql://localhost/q",
    );
  });

  it("leaves an unset variable without default in place, with a warning", () => {
    const loaded = loadText('[worker]\nworker_id = "${TASKER_WORKER_ID}"\n');
    expect(loaded.config.worker.worker_id).toBe("${TASKER_WORKER_ID}");
    expect(warningsOf(loaded)).toEqual([
      "merged.toml:2:14: ${TASKER_WORKER_ID} is left as it is: TASKER_WORKER_ID is not set",
    ]);
  });

  it("escapes values for TOML", () => {
    const key = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    const text =
      '[worker.web.auth]\njwt_public_key = "${TASKER_JWT_PUBLIC_KEY:-}"\njwt_issuer = "after"\n';
    const { auth } = loadText(text, { TASKER_JWT_PUBLIC_KEY: key }).config.worker.web;
    expect([auth.jwt_public_key, auth.jwt_issuer]).toEqual([key, "after"]);
  });

  it.each([
    [
      "${HOME:-x}",
      { HOME: "/root" },
      "merged.toml:3:14: the environment variable HOME may not be used",
    ],
    [
      "${TASKER_WORKER_ID}",
      { TASKER_WORKER_ID: 'a"\nb' },
      "merged.toml:3:14: the environment variable TASKER_WORKER_ID is not usable",
    ],
    ["${toString:-}", {}, null],
  ])("allows only listed variables with fitting values: %s", (text, env, expected) => {
    const problems = problemsOf(`[worker]\n\nworker_id = "${text}"\n`, env);
    if (expected === null) expect(problems).toEqual([]);
    else expect(problems[0]).toContain(expected);
  });
});
