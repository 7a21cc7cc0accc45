import { defineHandler } from "@tasker-core/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Secret } from "../../../core/src/lib/secret.js";
import { PERMISSIONS } from "../../../core/src/web/index.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { Issuer } from "./issuer.js";
import { type ApiAnswer, TestApi } from "./support.js";

/** Credentials that are limited to namespaces: of the others nothing exists for them. */
const database = useTestDatabase({ maxConnections: 3 });
const issuer = new Issuer();
const KEY = "key-of-the-tests-0123456789";
let host: TestEngine;
let api: TestApi;
let own: Made;
let foreign: Made;

interface Made {
  readonly task: string;
  readonly step: string;
  readonly dlqEntry: string;
}

const template = (namespace: string) =>
  yamlTemplate(
    JSON.stringify({
      name: "once",
      namespace_name: namespace,
      version: "1.0.0",
      description: "A task",
      identity_strategy: "always_unique",
      steps: [{ name: "only", description: "The step", handler: { callable: "echo" } }],
    }),
  );
const request = (namespace: string) => ({
  name: "once",
  namespace,
  version: "1.0.0",
  context: { of: namespace },
  initiator: "test",
  source_system: "vitest",
  reason: "to see",
});
const everything = [...PERMISSIONS];
const bearer = (claims: object) => ({
  authorization: `Bearer ${issuer.token({ permissions: everything, ...claims })}`,
});
const unlimited = () => bearer({});
const byKey = { "x-api-key": KEY };
const limited = () => bearer({ namespaces: ["tests"] });

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {},
    parsedTemplates: [template("tests"), template("other")],
    handlers: { echo: defineHandler("echo", {}, () => ({})) },
  });
  api = await TestApi.start(host, ({ orchestration: { web } }) => {
    Object.assign(web.auth, {
      enabled: true,
      jwt_public_key: issuer.pem,
      api_keys: [
        { key: new Secret(KEY), permissions: everything, namespaces: ["tests"], description: "" },
      ],
    });
  });
  own = await make("tests");
  foreign = await make("other");
});
afterAll(async () => {
  await api?.server.stop();
  await host?.engine.stop();
});

async function make(namespace: string): Promise<Made> {
  const { body } = await api.call("POST", "/v1/tasks", request(namespace), unlimited());
  const { rows } = await database.pool.query<{ id: string }>(
    `insert into tasker_core.tasks_dlq (dlq_entry_uuid, task_id, original_state, dlq_reason, dlq_timestamp, task_snapshot, created_at, updated_at)
     select gen_random_uuid(), r.task_id, 'error', 'manual_dlq', now(), '{}', now(), now()
     from tasker_core.task_requests r where r.task_uuid = $1 returning dlq_entry_uuid as id`,
    [body.task_uuid],
  );
  return {
    task: body.task_uuid,
    step: body.steps[0].workflow_step_uuid,
    dlqEntry: rows[0]?.id ?? "",
  };
}

const call = async (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = limited(),
): Promise<ApiAnswer> => await api.call(method, path, body, headers);

const patchStep = { action_type: "resolve_manually", reason: "r", resolved_by: "mallory" };

describe("what names a task, a step or a dead letter of another namespace", () => {
  const ROUTES: [method: string, path: (of: Made) => string, body?: object][] = [
    ["GET", ({ task }) => `/v1/tasks/${task}`],
    ["GET", ({ task }) => `/v1/tasks/${task}/summary`],
    ["GET", ({ task, step }) => `/v1/tasks/${task}/workflow_steps/${step}`],
    ["GET", ({ task, step }) => `/v1/tasks/${task}/workflow_steps/${step}/audit`],
    ["GET", ({ task }) => `/v1/dlq/task/${task}`],
    [
      "PATCH",
      ({ dlqEntry }) => `/v1/dlq/entry/${dlqEntry}`,
      { resolution_notes: "seen", resolved_by: "mallory" },
    ],
    ["PATCH", ({ task, step }) => `/v1/tasks/${task}/workflow_steps/${step}`, patchStep],
  ];
  test.each(
    ROUTES.map(
      ([method, path, body]) => [`${method} ${path(blank())}`, method, path, body] as const,
    ),
  )("%s is not found; its own is", async (_, method, path, body) => {
    const refused = await call(method, path(foreign), body);
    expect(refused.status, refused.text).toBe(404);
    expect(refused.body.error.code).toBe("NOT_FOUND");
    expect((await call(method, path(foreign), body, byKey)).status).toBe(404);
    const found = await call(method, path(own), body);
    expect(found.status, found.text).toBe(200);
  });

  test("its steps are an empty list, as those of an unknown task are", async () => {
    expect((await call("GET", `/v1/tasks/${foreign.task}/workflow_steps`)).body).toEqual([]);
    expect((await call("GET", `/v1/tasks/${own.task}/workflow_steps`)).body).toHaveLength(1);
  });

  test("a foreign step under an own task does not exist either", async () => {
    const path = `/v1/tasks/${own.task}/workflow_steps/${foreign.step}`;
    expect((await call("GET", path)).body.error.message).toBe("Resource not found");
    const told = await call("GET", path, undefined, unlimited());
    expect(told.body.error.message).toBe("Step does not belong to the specified task");
  });

  test("cannot be cancelled, and nothing of it has changed", async () => {
    const fresh = await api.call("POST", "/v1/tasks", request("other"), unlimited());
    expect((await call("DELETE", `/v1/tasks/${fresh.body.task_uuid}`)).status).toBe(404);
    const { rows } = await database.pool.query<{ n: bigint }>(
      "select count(*) as n from tasker_core.operator_actions a join tasker_core.task_requests r using (task_id) where r.task_uuid = any($1)",
      [[foreign.task, fresh.body.task_uuid]],
    );
    expect(rows[0]?.n).toBe(0n);
    const entry = await call("GET", `/v1/dlq/task/${foreign.task}`, undefined, unlimited());
    expect(entry.body).toMatchObject({ resolution_notes: null, resolved_by: null });
  });
});

const blank = (): Made => ({ task: ":task", step: ":step", dlqEntry: ":entry" });

describe("lists", () => {
  const LISTS: [path: string, namespacesOf: (body: ApiAnswer["body"]) => string[]][] = [
    ["/v1/tasks", (body) => body.tasks.map((task: { namespace: string }) => task.namespace)],
    ["/v1/templates", (body) => body.namespaces.map((one: { name: string }) => one.name)],
    ["/v1/templates", (body) => body.templates.map((one: { namespace: string }) => one.namespace)],
    [
      "/v1/dlq/investigation-queue",
      (body) => body.map((one: { namespace_name: string }) => one.namespace_name),
    ],
  ];
  test.each(LISTS)("%s has its own only", async (path, namespacesOf) => {
    const all = namespacesOf((await call("GET", path, undefined, unlimited())).body);
    expect(new Set(all)).toEqual(new Set(["tests", "other"]));
    expect(new Set(namespacesOf((await call("GET", path)).body))).toEqual(new Set(["tests"]));
    const both = bearer({ namespaces: "tests other" });
    const seen = namespacesOf((await call("GET", path, undefined, both)).body);
    expect(new Set(seen)).toEqual(new Set(["tests", "other"]));
    const none = bearer({ namespaces: [] });
    expect(namespacesOf((await call("GET", path, undefined, none)).body)).toEqual([]);
  });

  test("dead letters and their figures", async () => {
    const tasks = (await call("GET", "/v1/dlq")).body.map(
      (one: { task_uuid: string }) => one.task_uuid,
    );
    expect(tasks).toEqual([own.task]);
    const total = (answer: ApiAnswer): number => answer.body[0]?.total_entries;
    expect(total(await call("GET", "/v1/dlq/stats"))).toBe(1);
    expect(total(await call("GET", "/v1/dlq/stats", undefined, unlimited()))).toBe(2);
  });

  test("counts and a filter for another namespace give nothing away", async () => {
    expect((await call("GET", "/v1/templates")).body.total_count).toBe(1);
    const { body } = await call("GET", "/v1/tasks?namespace=other");
    expect(body).toMatchObject({ tasks: [], pagination: { total_count: 0 } });
    expect((await call("GET", "/v1/templates?namespace=other")).body.templates).toEqual([]);
    expect((await call("GET", "/v1/templates/other/once/1.0.0")).status).toBe(404);
    expect((await call("GET", "/v1/templates/tests/once/1.0.0")).status).toBe(200);
  });

  test("what waits long is cut down too", async () => {
    await database.pool.query(
      "update tasker_core.tasks set state = 'waiting_for_retry', state_since = now() - interval '20 days' where task_id in (select task_id from tasker_core.task_requests where task_uuid = any($1))",
      [[own.task, foreign.task]],
    );
    const seen = async (headers: ReturnType<typeof bearer>) =>
      (await call("GET", "/v1/dlq/staleness", undefined, headers)).body.map(
        (one: { namespace_name: string }) => one.namespace_name,
      );
    expect((await seen(unlimited())).sort()).toEqual(["other", "tests"]);
    expect(await seen(limited())).toEqual(["tests"]);
  });
});

test("a task is created in its own namespaces only", async () => {
  expect((await call("POST", "/v1/tasks", request("tests"))).status).toBe(200);
  const refused = await call("POST", "/v1/tasks", request("other"));
  expect(refused.status).toBe(403);
  expect(refused.body.error).toEqual({
    code: "AUTHORIZATION_FAILED",
    message: "These credentials are not for namespace other",
  });
});

test("the audit trail names who was authenticated, and whom they say they act for", async () => {
  const { rows } = await database.pool.query<{ actor: string; reason: string }>(
    "select a.actor, a.reason from tasker_core.operator_actions a join tasker_core.task_requests r using (task_id) where r.task_uuid = $1",
    [own.task],
  );
  expect(rows).toContainEqual({ actor: "jwt:alice as mallory", reason: "r" });
});

test("answers about the whole system are not for them", async () => {
  for (const path of ["/v1/analytics/performance", "/v1/analytics/bottlenecks"]) {
    const refused = await call("GET", path);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("x-auth-failure-reason")).toBe("forbidden");
    expect((await call("GET", path, undefined, unlimited())).status).toBe(200);
  }
});
