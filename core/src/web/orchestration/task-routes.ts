import { z } from "zod";
import { isTaskerError } from "../../errors/index.js";
import { JsonText, type TaskRequest } from "../../lifecycle/task-request.js";
import { badRequest, invalidUuid, notFound } from "../api-error.js";
import { actorOf, mayEnter, namespaceForbidden, type Principal } from "../auth/index.js";
import { isUuid } from "../fields.js";
import { type JsonBody, memberText, readJsonBody } from "../json-body.js";
import { queryJson } from "../query-json.js";
import { readInput } from "../read-input.js";
import { JsonReply, type Route, route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";
import {
  type TaskRequestBody,
  taskListQuery,
  taskListResponse,
  taskRequestBody,
  taskResponse,
  taskSummaryResponse,
} from "./task-schemas.js";

const byUuid = z.object({ uuid: z.string() });

/** contract/rest.md sections 2.1 to 2.5, and the summary. */
export function taskRoutes(engine: OrchestrationEngine): Route[] {
  const { pool } = engine;
  const taskOf = async (uuid: string, caller: Principal): Promise<JsonReply> => {
    const body = await queryJson(pool, "tasker_core.api_task($1, $2)", [uuid, caller.namespaces]);
    if (body === null) throw notFound();
    return new JsonReply(body);
  };
  const assertVisible = async (uuid: string, { namespaces }: Principal): Promise<void> => {
    const call = "to_json(tasker_core.api_task_exists($1, $2))";
    if ((await queryJson(pool, call, [uuid, namespaces])) !== "true") throw notFound();
  };
  return [
    route({
      method: "POST",
      path: "/v1/tasks",
      permission: "tasks:create",
      tag: "tasks",
      summary: "Create a task. The same identity creates it once.",
      body: taskRequestBody,
      reply: taskResponse,
      errors: [400, 403, 404, 409, 415, 422, 503],
      handle: async ({ body, json, caller }) => {
        if (!mayEnter(caller, body.namespace)) throw namespaceForbidden(body.namespace);
        const created = await engine.createTask(taskRequest(body, json)).catch((error: unknown) => {
          if (!isTaskerError(error, "TEMPLATE_NOT_FOUND")) throw error;
          const named = `${body.namespace}/${body.name}/${body.version}`;
          throw notFound(`Task template not found: ${named}`);
        });
        return await taskOf(created.taskUuid, caller);
      },
    }),
    route({
      method: "GET",
      path: "/v1/tasks",
      permission: "tasks:list",
      tag: "tasks",
      summary: "Tasks, newest first. `status`: completed, pending, or a task state.",
      query: taskListQuery,
      reply: taskListResponse,
      errors: [400],
      handle: async ({ query, caller }) => {
        const { page, per_page: perPage } = query;
        const { rows } = await pool.query<{ total: number; tasks: string }>(
          "select total, tasks::text as tasks from tasker_core.api_task_list($1, $2, $3, $4, $5, $6, $7)",
          [
            query.namespace ?? null,
            query.status ?? null,
            query.initiator ?? null,
            query.source_system ?? null,
            perPage,
            (page - 1) * perPage,
            caller.namespaces,
          ],
        );
        const total = Number(rows[0]?.total ?? 0);
        const pages = Math.ceil(total / perPage);
        const pagination = {
          page,
          per_page: perPage,
          total_count: total,
          total_pages: pages,
          has_next: page < pages,
          has_previous: page > 1,
        };
        return new JsonReply(
          `{"tasks":${rows[0]?.tasks ?? "[]"},"pagination":${JSON.stringify(pagination)}}`,
        );
      },
    }),
    route({
      method: "GET",
      path: "/v1/tasks/:uuid",
      permission: "tasks:read",
      tag: "tasks",
      summary: "A task with the readiness of its steps.",
      params: byUuid,
      reply: taskResponse,
      errors: [400, 404],
      handle: async ({ params, caller }) => await taskOf(uuidOf(params.uuid), caller),
    }),
    route({
      method: "DELETE",
      path: "/v1/tasks/:uuid",
      permission: "tasks:cancel",
      tag: "tasks",
      summary: "Cancel a task; running handlers are told to stop.",
      params: byUuid,
      reply: taskResponse,
      errors: [400, 404],
      handle: async ({ params, caller }) => {
        const uuid = uuidOf(params.uuid);
        await assertVisible(uuid, caller);
        await engine.cancelTask(uuid, { actor: actorOf(caller, "api") }).catch((error: unknown) => {
          if (!isTaskerError(error, "INVALID_TRANSITION")) throw error;
          throw badRequest("Cannot cancel a completed task");
        });
        return await taskOf(uuid, caller);
      },
    }),
    route({
      method: "GET",
      path: "/v1/tasks/:uuid/summary",
      permission: "tasks:read",
      tag: "tasks",
      summary: "A task at a glance, without context and results.",
      params: byUuid,
      reply: taskSummaryResponse,
      errors: [400, 404],
      handle: async ({ params, caller }) => {
        const uuid = uuidOf(params.uuid);
        const values = [uuid, caller.namespaces];
        const body = await queryJson(pool, "tasker_core.api_task_summary($1, $2)", values);
        if (body === null) throw notFound();
        return new JsonReply(body);
      },
    }),
  ];
}

function uuidOf(text: string): string {
  if (!isUuid(text)) throw invalidUuid(text);
  return text;
}

/**
 * A task request as JSON text, from wherever it came.
 * @throws ApiError naming what is wrong with it
 */
export function readTaskRequest(text: string): TaskRequest {
  const json = readJsonBody(Buffer.from(text));
  return taskRequest(readInput(taskRequestBody, json.value, "body"), json);
}

function taskRequest(body: TaskRequestBody, json: JsonBody): TaskRequest {
  const isObject = typeof body.context === "object" && body.context !== null;
  const context =
    isObject && !Array.isArray(body.context) ? memberText(json, "context") : undefined;
  return {
    name: body.name,
    namespace: body.namespace,
    version: body.version,
    context: new JsonText(context ?? "{}"),
    initiator: body.initiator,
    sourceSystem: body.source_system,
    reason: body.reason,
    tags: body.tags,
    priority: body.priority ?? 0,
    parentCorrelationId: body.parent_correlation_id ?? null,
    ...(body.correlation_id === undefined ? {} : { correlationId: body.correlation_id }),
    ...(body.idempotency_key == null ? {} : { idempotencyKey: body.idempotency_key }),
  };
}
