import { z } from "zod";
import { badRequest, notFound } from "../api-error.js";
import { isUuid, queryInteger } from "../fields.js";
import { memberText } from "../json-body.js";
import { queryJson } from "../query-json.js";
import { JsonReply, type Route, route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";

/** Accepted in both spellings, answered in the first. */
const STATUSES: Readonly<Record<string, string>> = {
  Pending: "pending",
  ManuallyResolved: "manually_resolved",
  PermanentlyFailed: "permanently_failed",
  Cancelled: "cancelled",
  pending: "pending",
  manually_resolved: "manually_resolved",
  permanently_failed: "permanently_failed",
  cancelled: "cancelled",
};
const status = z
  .enum(Object.keys(STATUSES) as [string, ...string[]])
  .transform((name) => STATUSES[name] as string);

const naive = z.string();
const entry = z.object({
  dlq_entry_uuid: z.uuid(),
  task_uuid: z.uuid(),
  original_state: z.string(),
  dlq_reason: z.string(),
  dlq_timestamp: naive,
  resolution_status: z.string(),
  resolution_timestamp: naive.nullable(),
  resolution_notes: z.string().nullable(),
  resolved_by: z.string().nullable(),
  task_snapshot: z.json(),
  metadata: z.json().nullable(),
  created_at: naive,
  updated_at: naive,
});
const stats = z.object({
  dlq_reason: z.string(),
  total_entries: z.int(),
  pending: z.int(),
  manually_resolved: z.int(),
  permanent_failures: z.int(),
  cancelled: z.int(),
  oldest_entry: naive.nullable(),
  newest_entry: naive.nullable(),
  avg_resolution_time_minutes: z.number().nullable(),
});
const queued = z.object({
  dlq_entry_uuid: z.uuid(),
  task_uuid: z.uuid(),
  original_state: z.string(),
  dlq_reason: z.string(),
  dlq_timestamp: naive,
  minutes_in_dlq: z.number(),
  namespace_name: z.string().nullable(),
  task_name: z.string().nullable(),
  current_state: z.string().nullable(),
  time_in_state_minutes: z.int().nullable(),
  priority_score: z.number(),
});
const staleness = z.object({
  task_uuid: z.uuid(),
  namespace_name: z.string().nullable(),
  task_name: z.string().nullable(),
  current_state: z.string(),
  time_in_state_minutes: z.int(),
  task_age_minutes: z.int(),
  staleness_threshold_minutes: z.int(),
  health_status: z.enum(["healthy", "warning", "stale"]),
  priority: z.int(),
});
const limitOf = (fallback: number) =>
  queryInteger(fallback, 1, 1000, "limit must be between 1 and 1000");

/** Dead letters: contract/rest.md section 2.7. */
export function dlqRoutes({ pool }: OrchestrationEngine): Route[] {
  const list = async (call: string, values: readonly unknown[]): Promise<JsonReply> =>
    new JsonReply((await queryJson(pool, call, values)) ?? "[]");
  return [
    route({
      method: "GET",
      path: "/v1/dlq",
      permission: "dlq:read",
      tag: "dlq",
      summary: "Dead letters, newest first.",
      query: z.object({
        resolution_status: status.optional(),
        limit: limitOf(50),
        offset: queryInteger(0, 0, 1_000_000_000, "offset must be >= 0"),
      }),
      reply: z.array(entry),
      errors: [400],
      handle: async ({ query, caller }) =>
        await list("tasker_core.api_dlq_list($1, $2, $3, $4)", [
          query.resolution_status ?? null,
          query.limit,
          query.offset,
          caller.namespaces,
        ]),
    }),
    route({
      method: "GET",
      path: "/v1/dlq/task/:task_uuid",
      permission: "dlq:read",
      tag: "dlq",
      summary: "The latest dead letter of a task.",
      params: z.object({ task_uuid: z.string() }),
      reply: entry,
      errors: [400, 404],
      handle: async ({ params, caller }) => {
        const uuid = uuidOf(params.task_uuid);
        const body = await queryJson(pool, "tasker_core.api_dlq_of_task($1, $2)", [
          uuid,
          caller.namespaces,
        ]);
        if (body === null) throw notFound(`DLQ entry not found for task ${uuid}`);
        return new JsonReply(body);
      },
    }),
    route({
      method: "PATCH",
      path: "/v1/dlq/entry/:dlq_entry_uuid",
      permission: "dlq:update",
      tag: "dlq",
      summary: "Note what became of an investigation; null leaves a field as it is.",
      params: z.object({ dlq_entry_uuid: z.string() }),
      body: z.object({
        resolution_status: status.nullish(),
        resolution_notes: z.string().max(10_000).nullish(),
        resolved_by: z.string().max(255).nullish(),
        metadata: z.json().nullish(),
      }),
      reply: z.object({ success: z.boolean(), message: z.string(), dlq_entry_uuid: z.uuid() }),
      errors: [400, 404, 415, 422],
      handle: async ({ params, body, json, caller }) => {
        const uuid = uuidOf(params.dlq_entry_uuid);
        const metadata = body.metadata == null ? null : (memberText(json, "metadata") ?? null);
        const found = await queryJson(
          pool,
          "to_json(tasker_core.api_update_dlq($1, $2, $3, $4, $5, $6))",
          [
            uuid,
            body.resolution_status ?? null,
            body.resolution_notes ?? null,
            body.resolved_by ?? null,
            metadata,
            caller.namespaces,
          ],
        );
        if (found !== "true") throw notFound(`DLQ entry not found: ${uuid}`);
        return {
          success: true,
          message: "Investigation status updated successfully",
          dlq_entry_uuid: uuid,
        };
      },
    }),
    route({
      method: "GET",
      path: "/v1/dlq/stats",
      permission: "dlq:stats",
      tag: "dlq",
      summary: "Dead letters by reason.",
      reply: z.array(stats),
      handle: async ({ caller }) =>
        await list("tasker_core.api_dlq_stats($1)", [caller.namespaces]),
    }),
    route({
      method: "GET",
      path: "/v1/dlq/investigation-queue",
      permission: "dlq:read",
      tag: "dlq",
      summary: "What to look at next, most urgent first.",
      query: z.object({ limit: limitOf(100) }),
      reply: z.array(queued),
      errors: [400],
      handle: async ({ query, caller }) =>
        await list("tasker_core.api_dlq_queue($1, $2)", [query.limit, caller.namespaces]),
    }),
    route({
      method: "GET",
      path: "/v1/dlq/staleness",
      permission: "dlq:read",
      tag: "dlq",
      summary: "Tasks that wait or work for long, stale ones first.",
      query: z.object({ limit: limitOf(100) }),
      reply: z.array(staleness),
      errors: [400],
      handle: async ({ query, caller }) =>
        await list("tasker_core.api_staleness($1, $2)", [query.limit, caller.namespaces]),
    }),
  ];
}

function uuidOf(text: string): string {
  if (!isUuid(text)) throw badRequest(`\`${text}\` is not a UUID`);
  return text;
}
