import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  COMPONENTS,
  checkBind,
  componentFiles,
  defaultConfig,
  defaultFileText,
  isLoopback,
  loadConfig,
  mergeFiles,
  validateConfig,
  writeToml,
} from "../../src/config/index.js";
import { Secret } from "../../src/lib/secret.js";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const SOURCES = join(REPOSITORY, "config", "tasker");

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tasker-files-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** With secrets revealed, so that a comparison sees them. */
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal();
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revealed(member)]));
}

/** The repository's component files for one environment, without the variables of this process. */
function shipped(environment: string) {
  const env = { TASKER_ENV: environment, TASKER_CONFIG_ROOT: join(REPOSITORY, "config") };
  return loadConfig({ env, workingDirectory: root });
}

describe("the files in config/tasker", () => {
  // After a change of the schema: npx vitest run --project unit core/test/config -u
  it.each(COMPONENTS)("base/%s.toml is the generated text of the defaults", async (component) => {
    const file = join(SOURCES, "base", `${component}.toml`);
    await expect(defaultFileText(component)).toMatchFileSnapshot(file);
  });

  it("base says what the schema says", () => {
    const { value, read } = mergeFiles(
      COMPONENTS.map((name) => join(SOURCES, "base", `${name}.toml`)),
      {},
    );
    expect(read.flatMap((file) => [...file.errors, ...file.warnings])).toEqual([]);
    const { config, unknown } = validateConfig(value);
    expect(unknown).toEqual([]);
    expect(revealed(config)).toEqual(revealed(defaultConfig()));
  });

  it.each(["test", "development", "production"])(
    "%s loads without errors and warnings",
    (environment) => {
      const { config, warnings } = shipped(environment);
      expect(warnings).toEqual([]);
      expect(config.common.execution.environment).toBe(environment);
    },
  );

  it("the overlays say what the contract lists", () => {
    const test = shipped("test").config;
    expect(test.common.backoff).toMatchObject({
      default_backoff_seconds: [1, 2, 4],
      max_backoff_seconds: 10,
    });
    expect(test.worker.mpsc_channels.handler_dispatch).toMatchObject({
      handler_timeout_ms: 5000,
      max_concurrent_handlers: 5,
    });
    expect(test.worker.worker_id).toBe("test-worker-001");
    expect(test.orchestration.web.config_endpoint_enabled).toBe(true);
    const development = shipped("development").config;
    expect(development.orchestration.dlq.staleness_detection.thresholds).toEqual({
      waiting_for_dependencies_minutes: 15,
      waiting_for_retry_minutes: 10,
      steps_in_process_minutes: 15,
      task_max_lifetime_hours: 4,
    });
    const production = shipped("production").config;
    expect(production.common.database.pool).toMatchObject({
      max_connections: 50,
      min_connections: 10,
    });
    expect(production.common.cache).toMatchObject({ enabled: true, analytics_ttl_seconds: 120 });
  });

  it("a context has its components only", () => {
    const names = (context: "common" | "worker" | "complete") =>
      componentFiles(SOURCES, "production", context).map((file) => file.replace(`${SOURCES}/`, ""));
    expect(names("common")).toEqual(["base/common.toml", "environments/production/common.toml"]);
    expect(names("worker")).toContain("base/worker.toml");
    expect(names("worker")).not.toContain("base/orchestration.toml");
    expect(names("complete")).toContain("base/orchestration.toml");
  });
});

describe("writeToml", () => {
  it("writes what the reader reads back", () => {
    const value = {
      top: 'quote " back \\ line\n',
      list: [1, 2.5, "x", { inline: true }],
      "odd key": false,
      table: { empty: {}, deep: { n: -3 }, "a.b": { c: "\u007f" } },
    };
    const file = join(root, "written.toml");
    writeFileSync(file, writeToml(value));
    expect(mergeFiles([file], null).value).toEqual(value);
  });

  it("does not write secrets", () => {
    expect(writeToml({ url: new Secret("hunter2") })).toBe('url = "[redacted]"\n');
  });
});

describe("checkBind", () => {
  const config = (web: object, profile = "default") => {
    const { config: loaded } = validateConfig({
      orchestration: { web },
      compatibility: { profile },
    });
    if (loaded === null) throw new Error("not valid");
    return loaded;
  };
  const open = { bind_address: "0.0.0.0:8080" };

  it.each([
    ["loopback", {}, "default", "safe"],
    ["open", open, "default", "refuse"],
    ["open with authentication", { ...open, auth: { enabled: true } }, "default", "safe"],
    ["open on purpose", { ...open, auth: { allow_open: true } }, "default", "warn"],
    ["open under the compatibility profile", open, "tasker-core", "warn"],
  ])("%s", (_, web, profile, verdict) => {
    expect(checkBind(config(web, profile), "orchestration", "web").verdict).toBe(verdict);
  });

  it("says which key to set", () => {
    const { message } = checkBind(config(open), "orchestration", "web");
    expect(message).toContain("orchestration.web.auth.enabled = true");
    expect(message).toContain("orchestration.web.auth.allow_open = true");
  });

  it.each([
    ["127.0.0.1:80", true],
    ["127.8.9.1:80", true],
    ["localhost:80", true],
    ["[::1]:80", true],
    ["[::]:80", false],
    ["127.0.0.1.example.com:80", false],
    ["10.0.0.1:80", false],
  ])("%s is loopback: %s", (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });
});
