import { z } from "zod";
import { notFound } from "../api-error.js";
import { optionalText, queryInteger } from "../fields.js";
import { queryJson } from "../query-json.js";
import { JsonReply, type Route, route } from "../route.js";
import type { OrchestrationEngine } from "./engine.js";

const templateListResponse = z.object({
  namespaces: z.array(
    z.object({ name: z.string(), description: z.string().nullable(), template_count: z.int() }),
  ),
  templates: z.array(
    z.object({
      name: z.string(),
      namespace: z.string(),
      version: z.string(),
      description: z.string().nullable(),
      step_count: z.int(),
    }),
  ),
  total_count: z.int(),
});

const templateDetail = z.object({
  name: z.string(),
  namespace: z.string(),
  version: z.string(),
  description: z.string().nullable(),
  configuration: z.null(),
  steps: z.array(
    z.object({
      name: z.string(),
      description: z.string().nullable(),
      default_retryable: z.boolean(),
      default_max_attempts: z.int(),
      result_schema: z.json().nullable(),
    }),
  ),
});

const number = z.number();
const performanceMetrics = z.object({
  total_tasks: z.int(),
  active_tasks: z.int(),
  completed_tasks: z.int(),
  failed_tasks: z.int(),
  completion_rate: number,
  error_rate: number,
  average_task_duration_seconds: number,
  average_step_duration_seconds: number,
  tasks_per_hour: z.int(),
  steps_per_hour: z.int(),
  system_health_score: number,
  analysis_period_start: z.string(),
  calculated_at: z.string(),
});

const slow = {
  namespace_name: z.string(),
  task_name: z.string(),
  version: z.string(),
  average_duration_seconds: number,
  max_duration_seconds: number,
  execution_count: z.int(),
  error_count: z.int(),
  error_rate: number,
  last_executed_at: z.string().nullable(),
};
const bottleneckAnalysis = z.object({
  slow_steps: z.array(z.object({ ...slow, step_name: z.string() })),
  slow_tasks: z.array(z.object({ ...slow, average_step_count: number })),
  resource_utilization: z.object({
    database_pool_utilization: number,
    system_health: z.record(z.string(), z.int()),
  }),
  recommendations: z.array(z.string()),
});

/** Templates and figures: contract/rest.md section 2.7. */
export function catalogueRoutes(engine: OrchestrationEngine): Route[] {
  const { pool } = engine;
  return [
    route({
      method: "GET",
      path: "/v1/templates",
      permission: "templates:read",
      tag: "templates",
      summary: "Registered templates. `namespaces` and `total_count` ignore the filter.",
      query: z.object({ namespace: optionalText }),
      reply: templateListResponse,
      handle: async ({ query, caller }) =>
        new JsonReply(
          (await queryJson(pool, "tasker_core.api_template_list($1, $2)", [
            query.namespace ?? null,
            caller.namespaces,
          ])) ?? "{}",
        ),
    }),
    route({
      method: "GET",
      path: "/v1/templates/:namespace/:name/:version",
      permission: "templates:read",
      tag: "templates",
      summary: "One template with its steps; its configuration is never shown.",
      params: z.object({ namespace: z.string(), name: z.string(), version: z.string() }),
      reply: templateDetail,
      errors: [404],
      handle: async ({ params: { namespace, name, version }, caller }) => {
        const call = "tasker_core.api_template($1, $2, $3, $4)";
        const body = await queryJson(pool, call, [namespace, name, version, caller.namespaces]);
        if (body === null) throw notFound(`Template not found: ${namespace}/${name}/${version}`);
        return new JsonReply(body);
      },
    }),
    route({
      method: "GET",
      path: "/v1/analytics/performance",
      permission: "system:analytics_read",
      isSystemWide: true,
      tag: "analytics",
      summary: "Figures of the last hours.",
      query: z.object({ hours: queryInteger(24, 0, 8760, "hours must be between 0 and 8760") }),
      reply: performanceMetrics,
      errors: [400],
      handle: async ({ query }) =>
        new JsonReply(
          (await queryJson(pool, "tasker_core.api_performance($1)", [query.hours])) ?? "{}",
        ),
    }),
    route({
      method: "GET",
      path: "/v1/analytics/bottlenecks",
      permission: "system:analytics_read",
      isSystemWide: true,
      tag: "analytics",
      summary: "The slowest steps and tasks, and what to do about them.",
      query: z.object({
        limit: queryInteger(10, 1, 1000, "limit must be between 1 and 1000"),
        min_executions: queryInteger(5, 1, 1_000_000, "min_executions must be at least 1"),
      }),
      reply: bottleneckAnalysis,
      errors: [400],
      handle: async ({ query }) => {
        const call = "tasker_core.api_bottlenecks($1, $2, $3)";
        const values = [query.limit, query.min_executions, engine.poolUtilization()];
        return new JsonReply((await queryJson(pool, call, values)) ?? "{}");
      },
    }),
  ];
}
