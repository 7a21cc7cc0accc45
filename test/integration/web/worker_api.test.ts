import { defineHandler, PermanentError } from "@tasker-core/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { Issuer } from "./issuer.js";
import { TestApi } from "./support.js";

/** contract/rest.md section 3, through real HTTP. */
const database = useTestDatabase({ maxConnections: 3 });
const issuer = new Issuer();
let host: TestEngine;
let worker: TestApi;
let guarded: TestApi;
let orchestration: TestApi;

const ZONED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      diamond: [
        { name: "start", callable: "echo" },
        { name: "left", callable: "echo", dependencies: ["start"] },
        { name: "right", callable: "echo", dependencies: ["start"] },
        { name: "longer", callable: "echo", dependencies: ["right"] },
        { name: "end", callable: "echo", dependencies: ["left", "longer"] },
      ],
      failing: [{ name: "bad", callable: "refuse" }],
    },
    parsedTemplates: ["1.0.0", "1.10.0", "1.9.0"].map((version) =>
      yamlTemplate(
        JSON.stringify({
          name: "elsewhere",
          namespace_name: "other",
          version,
          description: "For another worker",
          input_schema: { type: "object" },
          steps: [{ name: "only", handler: { callable: "nobody_has_this" } }],
        }),
      ),
    ),
    handlers: {
      echo: defineHandler("echo", {}, () => ({})),
      refuse: defineHandler("refuse", {}, () => {
        throw new PermanentError("no");
      }),
    },
  });
  worker = await TestApi.startWorker(host, (config) => {
    config.worker.web.config_endpoint_enabled = true;
  });
  guarded = await TestApi.startWorker(host, ({ worker: { web } }) => {
    Object.assign(web.auth, { enabled: true, jwt_public_key: issuer.pem });
  });
  orchestration = await TestApi.start(host, (config) => {
    config.orchestration.web.config_endpoint_enabled = true;
  });
  await host.run("diamond");
});
afterAll(async () => {
  for (const api of [worker, guarded, orchestration]) await api?.server.stop();
  await host?.engine.stop();
});

const get = async (path: string, api = worker) => await api.call("GET", path);

describe("health", () => {
  test("serves, lives, is ready", async () => {
    expect((await get("/health")).body).toMatchObject({
      status: "healthy",
      worker_id: "worker-default-001",
    });
    const live = await get("/health/live");
    expect(live.body.status).toBe("alive");
    expect(live.body.timestamp).toMatch(ZONED);
    const ready = await get("/health/ready");
    expect(ready.status).toBe(200);
    expect(ready.body.status).toBe("ready");
    expect(Object.keys(ready.body.checks).sort()).toEqual([
      "command_processor",
      "database",
      "queue_processing",
    ]);
    for (const check of Object.values(ready.body.checks) as Record<string, unknown>[]) {
      expect(check).toMatchObject({ status: "healthy" });
      expect(Number.isInteger(check["duration_ms"])).toBe(true);
      expect(check["last_checked"]).toMatch(ZONED);
    }
    expect(ready.body.system_info).toMatchObject({
      environment: "development",
      worker_type: "general",
      database_pool_size: 25,
      command_processor_active: true,
      supported_namespaces: ["other", "tests"],
    });
    expect(ready.headers.get("x-request-id")).toBeNull();
  });

  test("the share of failed steps makes it degraded, then worse", async () => {
    const stepProcessing = async () => (await get("/health/detailed")).body.checks.step_processing;
    expect(await stepProcessing()).toMatchObject({ status: "healthy" });
    for (let n = 0; n < 3; n++) await host.run("failing");
    const { status, message } = await stepProcessing();
    expect(status).toBe("unhealthy");
    expect(message).toContain("37.5 %");
    const detailed = await get("/health/detailed");
    expect(detailed.status).toBe(200);
    expect(detailed.body.status).toBe("degraded");
    expect(Object.keys(detailed.body.checks)).toEqual(
      expect.arrayContaining(["event_system", "step_processing", "circuit_breakers"]),
    );
  });
});

describe("metrics", () => {
  test("Prometheus text with the contract's names, once each", async () => {
    const { text, headers } = await get("/metrics");
    expect(headers.get("content-type")).toMatch(/^text\/plain; version=0.0.4/);
    for (const name of [
      "tasker_worker_info",
      "tasker_worker_uptime_seconds",
      "tasker_worker_db_pool_size",
      "tasker_worker_queue_depth",
      "tasker_worker_queue_oldest_message_age_seconds",
      "tasker_worker_channel_health",
      "tasker_step_results_total",
    ]) {
      expect(text.match(new RegExp(`^# TYPE ${name} `, "gm")), name).toHaveLength(1);
    }
    expect(text).toMatch(/^tasker_worker_queue_depth\{queue="worker_tests_queue"\} \d+$/m);
    expect(text).toMatch(
      /^tasker_worker_channel_health\{channel_name="completion",component="worker"\} 1$/m,
    );
  });

  test("of the orchestration server too", async () => {
    const { status, text } = await get("/metrics", orchestration);
    expect(status).toBe(200);
    for (const name of [
      "tasker_orchestration_info",
      "tasker_orchestration_running",
      "tasker_orchestration_db_pool_size",
      "tasker_db_pool_connections",
      "tasker_orchestration_circuit_breaker_state",
      "tasker_orchestration_channel_health",
    ]) {
      expect(text.match(new RegExp(`^# TYPE ${name} `, "gm")), name).toHaveLength(1);
    }
    expect(text).toContain("tasker_orchestration_running 1");
  });

  test("as JSON, one entry per series", async () => {
    const { body } = await get("/metrics/worker");
    expect(body.worker_id).toBe("worker-default-001");
    expect(body.timestamp).toMatch(ZONED);
    const committed = body.metrics['tasker_step_results_total{verdict="committed"}'];
    expect(committed).toMatchObject({ metric_type: "counter", labels: { verdict: "committed" } });
    expect(committed.value).toBeGreaterThanOrEqual(5);
    for (const entry of Object.values(body.metrics) as { value: unknown; labels: object }[]) {
      expect(typeof entry.value).toBe("number");
      for (const label of Object.values(entry.labels)) expect(typeof label).toBe("string");
    }
    expect(Object.keys(body.metrics).filter((series) => series.includes("_bucket"))).toEqual([]);
  });

  test("of events", async () => {
    const { body } = await get("/metrics/events");
    expect(Object.keys(body.router)).toHaveLength(6);
    expect(Object.keys(body.in_process_bus)).toHaveLength(8);
    for (const count of Object.values({ ...body.router, ...body.in_process_bus })) {
      expect(Number.isInteger(count)).toBe(true);
    }
    expect(body.captured_at).toMatch(ZONED);
  });
});

describe("templates", () => {
  test("what is registered, with the cache's figures when asked", async () => {
    const plain = await get("/v1/templates?namespace=ignored");
    expect(plain.body).toEqual({
      supported_namespaces: ["other", "tests"],
      template_count: 5,
      cache_stats: null,
      worker_capabilities: ["command_processing", "database_access", "message_queues"],
    });
    const { body } = await get("/v1/templates?include_cache_stats=true");
    expect(body.cache_stats).toMatchObject({ total_cached: 5, cache_evictions: 0 });
    expect((await get("/v1/templates?include_cache_stats=maybe")).status).toBe(400);
  });

  test("one, whole", async () => {
    const { status, body } = await get("/v1/templates/tests/diamond/1.0.0");
    expect(status).toBe(200);
    expect(body.template.template).toMatchObject({ name: "diamond", namespace_name: "tests" });
    expect(body.template.template.steps).toHaveLength(5);
    expect(body.template.resolved_at).toMatch(ZONED);
    expect(body.handler_metadata).toMatchObject({
      namespace: "tests",
      name: "diamond",
      version: "1.0.0",
      handler_class: "diamond",
      config_schema: null,
    });
    expect(body.handler_metadata.registered_at).toMatch(ZONED);
    expect(body).toMatchObject({ cached: true, cache_age_seconds: null, access_count: null });
  });

  test("one that is not there, in the worker's form of errors", async () => {
    for (const [method, path] of [
      ["GET", "/v1/templates/tests/diamond/2.0.0"],
      ["POST", "/v1/templates/nobody/diamond/1.0.0/validate"],
    ] as const) {
      const { status, body } = await worker.call(method, path);
      expect(status).toBe(404);
      expect(body).toMatchObject({ error: "template_not_found", request_id: null });
      expect(body.timestamp).toMatch(ZONED);
      expect(body.message).toContain("Template not found");
    }
  });

  test("whether this worker can run one", async () => {
    const validate = async (named: string) =>
      (await worker.call("POST", `/v1/templates/${named}/validate`)).body;
    expect(await validate("tests/diamond/1.0.0")).toEqual({
      valid: true,
      errors: [],
      required_capabilities: ["command_processing", "database_access", "message_queues"],
      step_handlers: ["echo"],
    });
    const other = await validate("other/elsewhere/1.0.0");
    expect(other.valid).toBe(false);
    expect(other.errors).toEqual([
      "Step `only`: no handler of this worker answers to `nobody_has_this`",
    ]);
  });
});

describe("task handlers", () => {
  test("are the same on both servers", async () => {
    for (const api of [worker, orchestration]) {
      const { body } = await get("/v1/handlers", api);
      expect(body).toEqual({
        namespaces: [
          { name: "other", description: null, handler_count: 1 },
          { name: "tests", description: null, handler_count: 2 },
        ],
        total_count: 3,
      });
      const namespace = await get("/v1/handlers/other", api);
      expect(namespace.body.handlers).toEqual([
        {
          name: "elsewhere",
          namespace: "other",
          description: "For another worker",
          versions: ["1.0.0", "1.10.0", "1.9.0"],
          step_count: 1,
        },
      ]);
    }
    expect((await get("/v1/handlers/nobody")).status).toBe(404);
  });

  test("one, with levels and critical path; the highest version unless another is asked for", async () => {
    const { body } = await get("/v1/handlers/tests/diamond");
    expect(body.levels).toEqual([["start"], ["left", "right"], ["longer"], ["end"]]);
    expect(body.critical_path).toEqual(["start", "right", "longer", "end"]);
    const step = (name: string) => body.steps.find((one: { name: string }) => one.name === name);
    expect(step("left")).toMatchObject({ level: 1, on_critical_path: false, callable: "echo" });
    expect(step("end")).toMatchObject({ level: 3, dependencies: ["left", "longer"] });
    const highest = await get("/v1/handlers/other/elsewhere");
    expect(highest.body).toMatchObject({ version: "1.10.0", schema: { type: "object" } });
    expect((await get("/v1/handlers/other/elsewhere?version=1.9.0")).body.version).toBe("1.9.0");
    const missing = await get("/v1/handlers/other/elsewhere?version=3.0.0");
    expect(missing.status).toBe(404);
    expect((await get("/v1/handlers/other/nothing")).status).toBe(404);
  });
});

describe("/config", () => {
  test("names what is configured, and is there only when it is switched on", async () => {
    const { body } = await get("/config");
    expect(body).toMatchObject({
      worker_id: "worker-default-001",
      worker_type: "general",
      auth: { enabled: false, jwt_issuer: "tasker-worker", allowed_algorithms: ["RS256"] },
      messaging: { backend: "pgmq", queues: ["worker_other_queue", "worker_tests_queue"] },
    });
    expect(body.metadata.timestamp).toMatch(ZONED);
    const other = await get("/config", orchestration);
    expect(other.body).toMatchObject({
      deployment_mode: "Hybrid",
      circuit_breakers: { enabled: true, failure_threshold: 5 },
      database_pools: { web_api_pool_size: 20, web_api_max_connections: 30 },
    });
    expect(other.body.messaging.queues).toHaveLength(3);
    const token = issuer.token({
      iss: "tasker-worker",
      aud: "worker-api",
      permissions: "worker:*",
    });
    const headers = { authorization: `Bearer ${token}` };
    expect((await guarded.call("GET", "/config", undefined, headers)).status).toBe(404);
  });
});

describe("who may", () => {
  const ask = async (method: string, path: string, claims: object) =>
    await guarded.call(method, path, undefined, {
      authorization: `Bearer ${issuer.token({ iss: "tasker-worker", aud: "worker-api", ...claims })}`,
    });

  test("every route with and without its permission", async () => {
    const { body } = await get("/api-docs/openapi.json", guarded);
    const operations = Object.entries(
      body.paths as Record<string, Record<string, { "x-permission"?: string }>>,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path: path.replace(/\{\w+\}/g, "x"),
        permission: operation["x-permission"],
      })),
    );
    expect(operations.filter(({ permission }) => permission !== undefined)).toHaveLength(6);
    for (const { method, path, permission } of operations) {
      const status = (await guarded.call(method, path)).status;
      if (permission === undefined) {
        expect([200, 503]).toContain(status);
        continue;
      }
      expect(status, path).toBe(401);
      expect((await ask(method, path, { permissions: ["tasks:*"] })).status, path).toBe(403);
      expect([200, 404]).toContain((await ask(method, path, { permissions: [permission] })).status);
    }
  });

  test("a token of the orchestration server is not one of the worker's", async () => {
    const claims = { iss: "tasker-core", aud: "tasker-api", permissions: ["worker:*"] };
    expect((await ask("GET", "/v1/templates", claims)).status).toBe(401);
  });

  test("credentials limited to a namespace see its templates and handlers only", async () => {
    const permissions = ["worker:*", "system:*", "templates:*"];
    const claims = { permissions, namespaces: ["tests"] };
    const templates = await ask("GET", "/v1/templates", claims);
    expect(templates.body.supported_namespaces).toEqual(["tests"]);
    expect((await ask("GET", "/v1/templates/tests/diamond/1.0.0", claims)).status).toBe(200);
    for (const [method, path] of [
      ["GET", "/v1/templates/other/elsewhere/1.0.0"],
      ["POST", "/v1/templates/other/elsewhere/1.0.0/validate"],
      ["GET", "/v1/handlers/other"],
      ["GET", "/v1/handlers/other/elsewhere"],
    ] as const) {
      expect((await ask(method, path, { permissions })).status, path).toBe(200);
      expect((await ask(method, path, claims)).status, path).toBe(404);
    }
    const handlers = await ask("GET", "/v1/handlers", claims);
    expect(handlers.body.namespaces).toEqual([
      { name: "tests", description: null, handler_count: 2 },
    ]);
  });
});
