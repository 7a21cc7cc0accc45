import { z } from "zod";
import { isTaskerError, messageOf } from "../../errors/index.js";
import type { JsonValue } from "../../lib/json-number.js";
import { parseJson } from "../../lib/parse-json.js";
import { badRequest, notFound } from "../api-error.js";
import { actorOf, type Principal } from "../auth/index.js";
import { isUuid } from "../fields.js";
import { type JsonBody, memberText } from "../json-body.js";
import { queryJson } from "../query-json.js";
import { JsonReply, type Route, route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";

const text = z.string().max(2000);
const actionBody = z.discriminatedUnion("action_type", [
  z.object({ action_type: z.literal("reset_for_retry"), reason: text, reset_by: text }),
  z.object({ action_type: z.literal("resolve_manually"), reason: text, resolved_by: text }),
  z.object({
    action_type: z.literal("complete_manually"),
    completion_data: z.object({ result: z.json(), metadata: z.json().optional() }),
    reason: text,
    completed_by: text,
  }),
]);

const stepResponse = z.object({
  step_uuid: z.uuid(),
  task_uuid: z.uuid(),
  name: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  completed_at: z.string().nullable(),
  results: z.record(z.string(), z.json()).nullable(),
  current_state: z.string(),
  dependencies_satisfied: z.boolean(),
  retry_eligible: z.boolean(),
  ready_for_execution: z.boolean(),
  total_parents: z.int(),
  completed_parents: z.int(),
  attempts: z.int(),
  max_attempts: z.int(),
  last_failure_at: z.string().nullable(),
  next_retry_at: z.string().nullable(),
  last_attempted_at: z.string().nullable(),
});

const stepAuditResponse = z.object({
  audit_uuid: z.uuid(),
  workflow_step_uuid: z.uuid(),
  transition_uuid: z.uuid(),
  task_uuid: z.uuid(),
  recorded_at: z.string(),
  worker_uuid: z.uuid().optional(),
  correlation_id: z.uuid().optional(),
  success: z.boolean(),
  execution_time_ms: z.int().optional(),
  result: z.json().optional(),
  step_name: z.string(),
  from_state: z.string().optional(),
  to_state: z.string(),
});

const ofTask = z.object({ uuid: z.string() });
const ofStep = z.object({ uuid: z.string(), step_uuid: z.string() });
type StepParams = z.output<typeof ofStep>;

/** contract/rest.md section 2.6. */
export function stepRoutes(engine: OrchestrationEngine): Route[] {
  const { pool } = engine;
  const stepOf = async (
    { uuid, step_uuid: stepUuid }: StepParams,
    { namespaces }: Principal,
  ): Promise<JsonReply> => {
    const values = [uuid, stepUuid, namespaces];
    const body = await queryJson(pool, "tasker_core.api_step($1, $2, $3)", values);
    if (body !== null) return new JsonReply(body);
    const call = "to_json(tasker_core.api_step_exists($1, $2))";
    const exists = await queryJson(pool, call, [stepUuid, namespaces]);
    throw exists === "true" ? notFound("Step does not belong to the specified task") : notFound();
  };
  return [
    route({
      method: "GET",
      path: "/v1/tasks/:uuid/workflow_steps",
      permission: "steps:read",
      tag: "steps",
      summary: "The steps of a task, with their results.",
      params: ofTask,
      reply: z.array(stepResponse),
      errors: [400],
      handle: async ({ params, caller }) => {
        if (!isUuid(params.uuid)) throw badRequest("Invalid task UUID format");
        const values = [params.uuid, caller.namespaces];
        return new JsonReply(
          (await queryJson(pool, "tasker_core.api_steps($1, $2)", values)) ?? "[]",
        );
      },
    }),
    route({
      method: "GET",
      path: "/v1/tasks/:uuid/workflow_steps/:step_uuid",
      permission: "steps:read",
      tag: "steps",
      summary: "One step.",
      params: ofStep,
      reply: stepResponse,
      errors: [400, 404],
      handle: async ({ params, caller }) => await stepOf(checked(params), caller),
    }),
    route({
      method: "PATCH",
      path: "/v1/tasks/:uuid/workflow_steps/:step_uuid",
      permission: "steps:resolve",
      tag: "steps",
      summary: "Act on a step by hand: reset_for_retry, resolve_manually, complete_manually.",
      params: ofStep,
      body: actionBody,
      reply: stepResponse,
      errors: [400, 404, 415, 422],
      handle: async ({ params, body, json, caller }) => {
        const place = checked(params);
        await stepOf(place, caller);
        await act(engine, place, { body, json, caller }).catch((error: unknown) => {
          throw actionError(error);
        });
        return await stepOf(place, caller);
      },
    }),
    route({
      method: "GET",
      path: "/v1/tasks/:uuid/workflow_steps/:step_uuid/audit",
      permission: "steps:read",
      tag: "steps",
      summary: "What workers have submitted for a step, newest first.",
      params: ofStep,
      reply: z.array(stepAuditResponse),
      errors: [400, 404],
      handle: async ({ params, caller }) => {
        const place = checked(params);
        await stepOf(place, caller);
        return new JsonReply(
          (await queryJson(pool, "tasker_core.api_step_audit($1, $2)", [
            place.step_uuid,
            caller.namespaces,
          ])) ?? "[]",
        );
      },
    }),
  ];
}

function checked(params: StepParams): StepParams {
  if (!isUuid(params.uuid)) throw badRequest("Invalid task UUID format");
  if (!isUuid(params.step_uuid)) throw badRequest("Invalid step UUID format");
  return params;
}

async function act(
  engine: OrchestrationEngine,
  { uuid, step_uuid: stepUuid }: StepParams,
  asked: { body: z.output<typeof actionBody>; json: JsonBody; caller: Principal },
): Promise<void> {
  const { body, json, caller } = asked;
  const remark = (by: string) => ({ actor: actorOf(caller, by), reason: body.reason });
  switch (body.action_type) {
    case "reset_for_retry":
      await engine.resetStep(uuid, stepUuid, remark(body.reset_by));
      return;
    case "resolve_manually":
      await engine.resolveStep(uuid, stepUuid, remark(body.resolved_by));
      return;
    case "complete_manually": {
      const given = completionOf(json);
      await engine.completeStep(uuid, stepUuid, {
        ...given,
        ...remark(body.completed_by),
        completedBy: body.completed_by,
      });
    }
  }
}

/** Read from the text: every number as it was written. */
function completionOf(json: JsonBody): { result: JsonValue; metadata?: JsonValue } {
  const data = parseJson(memberText(json, "completion_data") ?? "{}") as {
    [key: string]: JsonValue;
  };
  const { result = null, metadata } = data;
  return metadata === undefined ? { result } : { result, metadata };
}

function actionError(error: unknown): unknown {
  if (!isTaskerError(error)) return error;
  switch (error.code) {
    case "INVALID_TRANSITION": {
      const { state, event } = error.context as { state?: string; event?: string };
      return badRequest(
        state === undefined || event === undefined
          ? `Cannot manually resolve step: ${messageOf(error)}`
          : `Cannot manually resolve step: invalid transition from ${state} to ${event}`,
      );
    }
    case "TASK_NOT_FOUND":
    case "STEP_NOT_FOUND":
      return error;
    default:
      return badRequest(`Manual resolution failed: ${messageOf(error)}`);
  }
}
