import { randomUUID } from "node:crypto";
import { defineHandler, PermanentError } from "@tasker-core/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertIntegrity } from "../../sql/support/sql-host.js";
import { useTestDatabase } from "../../support/test-database.js";
import { startTestEngine, type TestEngine, yamlTemplate } from "../../support/test-engine.js";
import { TestApi } from "./support.js";

/** contract/rest.md section 2, through real HTTP. */
const database = useTestDatabase({ maxConnections: 3 });
let host: TestEngine;
let api: TestApi;

beforeAll(async () => {
  host = await startTestEngine({
    databaseUrl: database.url,
    templates: {
      chain: [
        { name: "first", callable: "echo" },
        { name: "second", callable: "echo", dependencies: ["first"] },
      ],
      failing: [
        { name: "bad", callable: "refuse" },
        { name: "after", callable: "echo", dependencies: ["bad"] },
      ],
      slow: [{ name: "only", callable: "sleep" }],
    },
    parsedTemplates: [
      yamlTemplate(
        JSON.stringify({
          name: "once",
          namespace_name: "tests",
          version: "1.0.0",
          description: "Each context once",
          steps: [{ name: "only", description: "The step", handler: { callable: "echo" } }],
        }),
      ),
    ],
    handlers: {
      echo: defineHandler("echo", {}, ({ context }) => ({ got: context.inputData })),
      refuse: defineHandler("refuse", {}, () => {
        throw new PermanentError("the card was declined");
      }),
      sleep: defineHandler("sleep", {}, async () => {
        await new Promise((settle) => setTimeout(settle, 5000));
        return {};
      }),
    },
  });
  api = await TestApi.start(host);
});
afterAll(async () => {
  await api?.server.stop();
  await host?.engine.stop();
  await assertIntegrity(database.pool);
});

const request = (name: string, extra: object = {}): object => ({
  name,
  namespace: "tests",
  version: "1.0.0",
  context: { n: 1 },
  initiator: "test",
  source_system: "vitest",
  reason: "to see",
  ...extra,
});

/** As typed clients send it: every key, null where unset. */
const clientRequest = (name: string): object =>
  request(name, {
    tags: [],
    requested_at: "2026-01-02T03:04:05.678901",
    options: null,
    priority: null,
    correlation_id: randomUUID(),
    parent_correlation_id: null,
  });

const create = async (name: string, extra: object = {}): Promise<string> => {
  const { status, body, text } = await api.call("POST", "/v1/tasks", request(name, extra));
  if (status !== 200) throw new Error(text);
  return body.task_uuid;
};
const settled = async (task: string, status = "complete") =>
  await api.until(`/v1/tasks/${task}`, (body) => body.status === status);

const ZONED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const NAIVE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;

describe("creating a task", () => {
  test("answers 200 with the task", async () => {
    const { status, body, headers } = await api.call("POST", "/v1/tasks", clientRequest("chain"));
    expect(status).toBe(200);
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(body).toMatchObject({
      name: "chain",
      namespace: "tests",
      version: "1.0.0",
      context: { n: 1 },
      initiator: "test",
      source_system: "vitest",
      reason: "to see",
      priority: 0,
      tags: [],
      parent_correlation_id: null,
      total_steps: 2,
    });
    expect(body.created_at).toMatch(ZONED);
    const done = await settled(body.task_uuid);
    expect(done.body).toMatchObject({
      execution_status: "all_complete",
      recommended_action: "finalize_task",
      completed_steps: 2,
      completion_percentage: 100,
      health_status: "healthy",
    });
    expect(done.body.steps.map((step: { name: string }) => step.name)).toEqual(["first", "second"]);
    expect(done.body.steps[1]).toMatchObject({
      current_state: "complete",
      dependencies_satisfied: true,
      total_parents: 1,
      completed_parents: 1,
      attempts: 1,
      last_failure_at: null,
      next_retry_at: null,
    });
    expect(done.body.steps[1].last_attempted_at).toMatch(NAIVE);
  });

  test("keeps every number of the context as it was written", async () => {
    const text = JSON.stringify(request("chain")).replace(
      '"n":1',
      '"n":12345678901234567890,"x":1.0,"e":1e16',
    );
    const { body } = await api.call("POST", "/v1/tasks", text);
    const { text: answered } = await settled(body.task_uuid);
    expect(answered).toContain('"n":12345678901234567890,"x":1.0,"e":1e16');
  });

  test("ignores unknown fields, takes what is not an object for an empty context", async () => {
    const task = await create("chain", { context: [1, 2], whatever: true });
    expect((await settled(task)).body.context).toEqual({});
  });

  test("the same identity is a conflict, another key is another task", async () => {
    const context = { id: randomUUID() };
    await create("once", { context });
    const again = await api.call("POST", "/v1/tasks", request("once", { context }));
    expect(again.status).toBe(409);
    expect(again.body).toEqual({
      error: { code: "CONFLICT", message: "A task with this identity already exists" },
    });
    await create("once", { context, idempotency_key: "k1" });
    const repeated = { context, idempotency_key: "k1" };
    expect((await api.call("POST", "/v1/tasks", request("once", repeated))).status).toBe(409);
  });

  test.each([
    [404, "NOT_FOUND", "Task template not found: tests/nobody/1.0.0", { name: "nobody" }],
    [404, "NOT_FOUND", "Task template not found: tests/chain/9.0.0", { version: "9.0.0" }],
    [400, "BAD_REQUEST", "Task name cannot be empty", { name: "" }],
    [400, "BAD_REQUEST", "Namespace cannot be empty", { namespace: "" }],
    [400, "BAD_REQUEST", "Version cannot be empty", { version: "" }],
    [400, "BAD_REQUEST", /`initiator`.*128/, { initiator: "x".repeat(129) }],
    [400, "BAD_REQUEST", /`priority`.*100/, { priority: 101 }],
    [422, "UNPROCESSABLE_ENTITY", /`name`/, { name: 7 }],
    [422, "UNPROCESSABLE_ENTITY", /`reason`/, { reason: undefined }],
    [422, "UNPROCESSABLE_ENTITY", /`context`/, { context: undefined }],
    [422, "UNPROCESSABLE_ENTITY", /`correlation_id`/, { correlation_id: "not-a-uuid" }],
    [422, "UNPROCESSABLE_ENTITY", /`tags.0`/, { tags: [1] }],
    [422, "UNPROCESSABLE_ENTITY", /`requested_at`/, { requested_at: "yesterday" }],
  ])("%i %s %s", async (status, code, message, change) => {
    const answer = await api.call("POST", "/v1/tasks", { ...request("chain"), ...change });
    expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
    expect(answer.body.error.message).toMatch(message);
  });

  test.each([
    [400, "JSON_ERROR", "{", {}],
    [400, "JSON_ERROR", '{"a":1}{', {}],
    [400, "JSON_ERROR", '{"__proto__":{"admin":true}}', {}],
    [400, "JSON_ERROR", '{"context":{"\\u005f_proto__":1}}', {}],
    [400, "JSON_ERROR", `${"[".repeat(65)}${"]".repeat(65)}`, {}],
    [415, "UNSUPPORTED_MEDIA_TYPE", "{}", { "content-type": "text/plain" }],
    [413, "PAYLOAD_TOO_LARGE", `{"a":"${"x".repeat(5_000_000)}"}`, {}],
  ])("%i %s for a body that cannot be read", async (status, code, body, headers) => {
    const answer = await api.call("POST", "/v1/tasks", body, headers);
    expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
  });
});

describe("reading tasks", () => {
  test("one that does not exist, and one whose id is none", async () => {
    const missing = await api.call("GET", `/v1/tasks/${randomUUID()}`);
    expect(missing.status).toBe(404);
    expect(missing.body.error).toEqual({ code: "NOT_FOUND", message: "Resource not found" });
    const wrong = await api.call("GET", "/v1/tasks/not-a-uuid");
    expect(wrong.status).toBe(400);
    expect(wrong.body.error).toEqual({ code: "INVALID_UUID", message: "not-a-uuid" });
  });

  test("the list: newest first, filtered, in pages", async () => {
    const source = `list-${randomUUID()}`;
    const made: string[] = [];
    for (let i = 0; i < 3; i += 1) made.push(await create("chain", { source_system: source }));
    for (const task of made) await settled(task);
    const query = `source_system=${source}&per_page=2`;
    const first = await api.call("GET", `/v1/tasks?${query}`);
    expect(first.status).toBe(200);
    expect(first.body.pagination).toEqual({
      page: 1,
      per_page: 2,
      total_count: 3,
      total_pages: 2,
      has_next: true,
      has_previous: false,
    });
    const second = await api.call("GET", `/v1/tasks?${query}&page=2`);
    const listed = [...first.body.tasks, ...second.body.tasks];
    expect(listed.map((task) => task.task_uuid)).toEqual([...made].reverse());
    expect(listed[0]).toMatchObject({ status: "completed", steps: [], completed_steps: 2 });
    for (const status of ["completed", "complete"]) {
      const { body } = await api.call("GET", `/v1/tasks?${query}&status=${status}`);
      expect(body.pagination.total_count).toBe(3);
    }
    const { body } = await api.call("GET", `/v1/tasks?${query}&status=pending&namespace=tests`);
    expect(body.pagination.total_count).toBe(0);
  });

  test.each([
    ["per_page=0", "per_page must be between 1 and 100"],
    ["per_page=101", "per_page must be between 1 and 100"],
    ["page=0", "page must be >= 1"],
    ["page=x", "page must be >= 1"],
  ])("?%s is refused", async (query, message) => {
    const { status, body } = await api.call("GET", `/v1/tasks?${query}`);
    expect({ status, ...body.error }).toEqual({ status: 400, code: "BAD_REQUEST", message });
  });

  test("the summary", async () => {
    const task = await create("failing");
    await settled(task, "blocked_by_failures");
    const { status, body } = await api.call("GET", `/v1/tasks/${task}/summary`);
    expect(status).toBe(200);
    expect(body.task).toMatchObject({ status: "blocked_by_failures", failed_steps: 1 });
    expect(body.task.created_at).toMatch(ZONED);
    expect(body.template.steps[1]).toEqual({
      name: "after",
      step_type: "standard",
      handler: "echo",
      dependencies: ["bad"],
      retryable: true,
      max_attempts: 3,
    });
    expect(body.steps[0].error).toMatchObject({ retryable: false });
    expect(body.links.steps).toBe(`/v1/tasks/${task}/workflow_steps`);
    expect(body).not.toHaveProperty("task.context");
  });
});

describe("cancelling", () => {
  test("a running task, once", async () => {
    const task = await create("slow");
    const { status, body } = await api.call("DELETE", `/v1/tasks/${task}`);
    expect(status).toBe(200);
    expect(body.status).toBe("cancelled");
    expect(body.steps[0].current_state).toBe("cancelled");
    const again = await api.call("DELETE", `/v1/tasks/${task}`);
    expect(again.status).toBe(400);
    expect(again.body.error.message).toBe("Cannot cancel a completed task");
    expect((await api.call("DELETE", `/v1/tasks/${randomUUID()}`)).status).toBe(404);
  });
});

describe("steps", () => {
  test("with results; one by one; audit", async () => {
    const task = await create("chain");
    await settled(task);
    const { body: steps } = await api.call("GET", `/v1/tasks/${task}/workflow_steps`);
    expect(steps.map((step: { name: string }) => step.name)).toEqual(["first", "second"]);
    expect(steps[0].results).toMatchObject({ success: true, result: { got: { n: 1 } } });
    expect(steps[0].created_at).toMatch(ZONED);
    const one = await api.call("GET", `/v1/tasks/${task}/workflow_steps/${steps[1].step_uuid}`);
    expect(one.body).toEqual(steps[1]);
    const path = `/v1/tasks/${task}/workflow_steps/${steps[0].step_uuid}/audit`;
    const { body: audit } = await api.call("GET", path);
    expect(audit).toHaveLength(1);
    expect(audit[0]).toMatchObject({
      success: true,
      step_name: "first",
      from_state: "in_progress",
      to_state: "enqueued_for_orchestration",
      result: { type: "EnqueueForOrchestration", data: { success: true } },
    });
    const other = await create("chain");
    const foreign = await api.call(
      "GET",
      `/v1/tasks/${other}/workflow_steps/${steps[0].step_uuid}`,
    );
    expect(foreign.status).toBe(404);
    expect(foreign.body.error.message).toBe("Step does not belong to the specified task");
    expect((await api.call("GET", `/v1/tasks/${randomUUID()}/workflow_steps`)).body).toEqual([]);
    const bad = await api.call("GET", `/v1/tasks/${task}/workflow_steps/x`);
    expect(bad.body.error).toEqual({
      code: "BAD_REQUEST",
      message: "Invalid step UUID format",
    });
  });

  test("by hand: reset, complete, resolve, and what is refused", async () => {
    const task = await create("failing");
    await settled(task, "blocked_by_failures");
    const [bad] = (await api.call("GET", `/v1/tasks/${task}/workflow_steps`)).body;
    const path = `/v1/tasks/${task}/workflow_steps/${bad.step_uuid}`;
    const reset = { action_type: "reset_for_retry", reason: "again", reset_by: "me" };
    expect((await api.call("PATCH", path, reset)).status).toBe(200);
    await api.until(`/v1/tasks/${task}`, (body) => body.steps[0].attempts === 1);
    await settled(task, "blocked_by_failures");
    const done = await api.call(
      "PATCH",
      path,
      '{"action_type":"complete_manually","completion_data":{"result":{"id":12345678901234567890}},"reason":"paid by phone","completed_by":"me"}',
    );
    expect(done.status).toBe(200);
    expect(done.body.current_state).toBe("complete");
    expect(done.text).toContain("12345678901234567890");
    expect(done.body.results.metadata.custom).toMatchObject({
      manually_completed: true,
      completed_by: "me",
      completion_reason: "paid by phone",
    });
    await settled(task);
    const refused = await api.call("PATCH", path, reset);
    expect(refused.status).toBe(400);
    expect(refused.body.error.message).toBe(
      "Cannot manually resolve step: invalid transition from complete to ResetForRetry",
    );
    for (const body of [{ action_type: "dance" }, {}, { action_type: "resolve_manually" }]) {
      expect((await api.call("PATCH", path, body)).status).toBe(422);
    }
  });
});

describe("templates, figures, dead letters", () => {
  test("templates", async () => {
    const { body } = await api.call("GET", "/v1/templates?namespace=tests");
    expect(body.total_count).toBe(4);
    expect(body.templates).toContainEqual({
      name: "once",
      namespace: "tests",
      version: "1.0.0",
      description: "Each context once",
      step_count: 1,
    });
    expect((await api.call("GET", "/v1/templates?namespace=nobody")).body.templates).toEqual([]);
    const one = await api.call("GET", "/v1/templates/tests/once/1.0.0");
    expect(one.body).toMatchObject({
      configuration: null,
      steps: [{ name: "only", description: "The step", default_max_attempts: 3 }],
    });
    const missing = await api.call("GET", "/v1/templates/tests/once/2.0.0");
    expect(missing.body.error.message).toBe("Template not found: tests/once/2.0.0");
  });

  test("performance and bottlenecks", async () => {
    const { body } = await api.call("GET", "/v1/analytics/performance?hours=1");
    expect(body.total_tasks).toBeGreaterThan(0);
    expect(body.completion_rate).toBeLessThanOrEqual(100);
    const bottlenecks = await api.call("GET", "/v1/analytics/bottlenecks?min_executions=1");
    expect(bottlenecks.body.slow_steps.length).toBeGreaterThan(0);
    expect(bottlenecks.body.resource_utilization.system_health.total_tasks).toBeGreaterThan(0);
  });

  test("dead letters", async () => {
    const task = await create("slow");
    await database.pool.query(
      `insert into tasker_core.tasks_dlq (dlq_entry_uuid, task_id, original_state, dlq_reason, dlq_timestamp, task_snapshot, created_at, updated_at)
       select gen_random_uuid(), r.task_id, 'steps_in_process', 'manual_dlq', now(), '{}', now(), now()
       from tasker_core.task_requests r where r.task_uuid = $1`,
      [task],
    );
    const { body: entry } = await api.call("GET", `/v1/dlq/task/${task}`);
    expect(entry).toMatchObject({ dlq_reason: "ManualDlq", resolution_status: "Pending" });
    expect(entry.dlq_timestamp).toMatch(NAIVE);
    expect((await api.call("GET", "/v1/dlq?resolution_status=pending")).body).toHaveLength(1);
    expect(
      (await api.call("GET", "/v1/dlq/investigation-queue")).body[0].priority_score,
    ).toBeGreaterThanOrEqual(10);
    const path = `/v1/dlq/entry/${entry.dlq_entry_uuid}`;
    const patch = {
      resolution_status: "ManuallyResolved",
      resolution_notes: "ok",
      resolved_by: null,
      metadata: null,
    };
    expect((await api.call("PATCH", path, patch)).body).toEqual({
      success: true,
      message: "Investigation status updated successfully",
      dlq_entry_uuid: entry.dlq_entry_uuid,
    });
    const { body: resolved } = await api.call("GET", `/v1/dlq/task/${task}`);
    expect(resolved).toMatchObject({
      resolution_status: "ManuallyResolved",
      resolution_notes: "ok",
    });
    expect((await api.call("GET", "/v1/dlq/stats")).body[0]).toMatchObject({
      manually_resolved: 1,
    });
    expect((await api.call("GET", "/v1/dlq/staleness")).status).toBe(200);
    expect((await api.call("GET", "/v1/dlq?resolution_status=odd")).status).toBe(400);
    expect((await api.call("PATCH", "/v1/dlq/entry/x", {})).status).toBe(400);
    expect((await api.call("PATCH", `/v1/dlq/entry/${randomUUID()}`, {})).status).toBe(404);
  });
});

describe("the server itself", () => {
  test("health", async () => {
    expect((await api.call("GET", "/health")).body.status).toBe("healthy");
    expect((await api.call("GET", "/health/live")).body.status).toBe("alive");
    const ready = await api.call("GET", "/health/ready");
    expect(ready.status).toBe(200);
    expect(Object.keys(ready.body.checks)).toEqual([
      "web_database",
      "orchestration_database",
      "circuit_breaker",
      "orchestration_system",
      "command_processor",
    ]);
    const detailed = await api.call("GET", "/health/detailed");
    expect(detailed.body.checks.queue_depth.status).toBe("healthy");
  });

  test("unknown routes and wrong methods", async () => {
    expect((await api.call("GET", "/v1/nothing")).status).toBe(404);
    const wrong = await api.call("PATCH", "/v1/tasks");
    expect({ status: wrong.status, allow: wrong.headers.get("allow") }).toEqual({
      status: 405,
      allow: "POST, GET",
    });
  });

  test("describes itself: every route, its permission, its errors", async () => {
    const { body } = await api.call("GET", "/api-docs/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    expect(body.paths["/v1/tasks"].post["x-permission"]).toBe("tasks:create");
    expect(Object.keys(body.paths["/v1/tasks"].post.responses)).toContain("409");
    expect((await api.call("GET", "/api-docs/ui")).text).toContain("/v1/tasks");
  });
});
