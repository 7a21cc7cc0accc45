import { z } from "zod";
import { mayEnter, type Principal } from "../auth/index.js";
import { type Route, route } from "../route.js";
import type { WorkerEngine } from "./engine.js";
import { templateNotFound } from "./worker-error.js";

const CAPABILITIES = ["command_processing", "database_access", "message_queues", "ffi_integration"];

const cacheStats = z.object({
  total_cached: z.int(),
  cache_hits: z.int(),
  cache_misses: z.int(),
  cache_evictions: z.int(),
  oldest_entry_age_seconds: z.int(),
  average_access_count: z.number(),
  supported_namespaces: z.array(z.string()),
});
const named = z.object({ namespace: z.string(), name: z.string(), version: z.string() });
type Named = z.output<typeof named>;

interface Stored {
  /** JSON text, as it is in `named_tasks.configuration`. */
  readonly configuration: string;
  readonly created_at: Date;
}

interface Configuration {
  readonly system_dependencies?: { readonly primary?: string } | null;
  readonly input_schema?: unknown;
  readonly steps?: readonly {
    readonly name: string;
    readonly handler: { readonly callable: string };
  }[];
}

/** contract/rest.md section 3. */
export function workerTemplateRoutes(engine: WorkerEngine): Route[] {
  const find = async ({ namespace, name, version }: Named, caller: Principal): Promise<Stored> => {
    const { rows } = await engine.pool.query<Stored & { version: string }>(
      "select version, configuration, created_at from tasker_core.api_handlers($1, $2, $3)",
      [namespace, name, caller.namespaces],
    );
    const stored = rows.find((row) => row.version === version);
    if (stored === undefined) throw templateNotFound(`${namespace}/${name}/${version}`);
    return stored;
  };
  const common = { tag: "templates", params: named, errors: [404] };
  return [
    route({
      method: "GET",
      path: "/v1/templates",
      permission: "worker:templates_read",
      tag: "templates",
      summary: "What this worker has registered.",
      query: z.object({
        namespace: z.string().max(255).optional(),
        include_cache_stats: z.enum(["true", "false"]).default("false"),
      }),
      reply: z.object({
        supported_namespaces: z.array(z.string()),
        template_count: z.int(),
        cache_stats: cacheStats.nullable(),
        worker_capabilities: z.array(z.string()),
      }),
      errors: [400],
      handle: async ({ query, caller }) => {
        const namespaces = engine.namespaces().filter((one) => mayEnter(caller, one));
        const cache = engine.templateCache();
        const looks = cache.hits + cache.misses;
        return {
          supported_namespaces: namespaces,
          template_count: cache.cached,
          cache_stats:
            query.include_cache_stats === "false"
              ? null
              : {
                  total_cached: cache.cached,
                  cache_hits: cache.hits,
                  cache_misses: cache.misses,
                  cache_evictions: 0,
                  oldest_entry_age_seconds: Math.floor(cache.oldestSeconds),
                  average_access_count: cache.cached === 0 ? 0 : looks / cache.cached,
                  supported_namespaces: namespaces,
                },
          worker_capabilities: CAPABILITIES.filter(
            (one) => one !== "ffi_integration" || engine.hasHandlerProcesses(),
          ),
        };
      },
    }),
    route({
      ...common,
      method: "GET",
      path: "/v1/templates/:namespace/:name/:version",
      permission: "worker:templates_read",
      summary: "One template, whole, in its normalised form.",
      reply: z.object({
        template: z.object({
          template: z.json(),
          environment: z.string(),
          resolved_at: z.string(),
        }),
        handler_metadata: z.object({
          namespace: z.string(),
          name: z.string(),
          version: z.string(),
          handler_class: z.string(),
          config_schema: z.json().nullable(),
          default_dependent_system: z.string().nullable(),
          registered_at: z.string(),
        }),
        cached: z.boolean(),
        cache_age_seconds: z.null(),
        access_count: z.null(),
      }),
      handle: async ({ params, caller }) => {
        const { configuration, created_at: registeredAt } = await find(params, caller);
        const template = JSON.parse(configuration) as Configuration;
        return {
          template: {
            template,
            environment: engine.environment,
            resolved_at: new Date().toISOString(),
          },
          handler_metadata: {
            namespace: params.namespace,
            name: params.name,
            version: params.version,
            handler_class: params.name,
            config_schema: template.input_schema ?? null,
            default_dependent_system: template.system_dependencies?.primary ?? null,
            registered_at: registeredAt.toISOString(),
          },
          cached: engine.namespaces().includes(params.namespace),
          cache_age_seconds: null,
          access_count: null,
        };
      },
    }),
    route({
      ...common,
      method: "POST",
      path: "/v1/templates/:namespace/:name/:version/validate",
      permission: "templates:validate",
      summary: "Whether this worker can run every step of a template.",
      reply: z.object({
        valid: z.boolean(),
        errors: z.array(z.string()),
        required_capabilities: z.array(z.string()),
        step_handlers: z.array(z.string()),
      }),
      handle: async ({ params, caller }) => {
        const { configuration } = await find(params, caller);
        const { steps = [] } = JSON.parse(configuration) as Configuration;
        const languages = steps.map(({ handler }) => engine.languageOf(handler.callable));
        const errors = steps
          .filter((_, i) => languages[i] === undefined)
          .map(
            ({ name, handler }) =>
              `Step \`${name}\`: no handler of this worker answers to \`${handler.callable}\``,
          );
        const isForeign = languages.some((one) => one !== undefined && one !== "typescript");
        return {
          valid: errors.length === 0,
          errors,
          required_capabilities: CAPABILITIES.filter(
            (one) => one !== "ffi_integration" || isForeign,
          ),
          step_handlers: [...new Set(steps.map(({ handler }) => handler.callable))],
        };
      },
    }),
  ];
}
