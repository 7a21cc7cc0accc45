import { z } from "zod";
import type { Pool } from "../db/index.js";
import { criticalPath, dependencyLevels, stepGraph } from "../model/index.js";
import { notFound } from "./api-error.js";
import { optionalText } from "./fields.js";
import { type Route, route } from "./route.js";

const name = z.string().max(255);
const handlerSummary = z.object({
  name: z.string(),
  namespace: z.string(),
  description: z.string().nullable(),
  /** In the order of registration. */
  versions: z.array(z.string()),
  step_count: z.int(),
});
const handlerDetail = z.object({
  name: z.string(),
  namespace: z.string(),
  version: z.string(),
  versions: z.array(z.string()),
  description: z.string().nullable(),
  schema: z.json().nullable(),
  steps: z.array(
    z.object({
      name: z.string(),
      description: z.string().nullable(),
      type: z.string(),
      callable: z.string(),
      dependencies: z.array(z.string()),
      /** 0 without dependencies, else one more than its deepest dependency. */
      level: z.int(),
      on_critical_path: z.boolean(),
    }),
  ),
  /** Names by level: those of one level may run at the same time. */
  levels: z.array(z.array(z.string())),
  critical_path: z.array(z.string()),
});

interface Row {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly description: string | null;
  readonly configuration: string;
  readonly namespace_description: string | null;
}

interface Configuration {
  readonly input_schema?: unknown;
  readonly steps?: readonly {
    readonly name: string;
    readonly description?: string | null;
    readonly type?: string;
    readonly handler: { readonly callable: string };
    readonly dependencies?: readonly string[];
  }[];
}

/** What is registered, as the registries of the languages say it (contract/code-defined.md). */
export function handlerRoutes(pool: Pool): Route[] {
  const read = async (
    namespace: string | null,
    handler: string | null,
    namespaces: readonly string[] | null,
  ): Promise<Row[]> => {
    const { rows } = await pool.query<Row>(
      `select namespace, name, version, description, configuration, namespace_description
       from tasker_core.api_handlers($1, $2, $3)`,
      [namespace, handler, namespaces],
    );
    return rows;
  };
  const common = { method: "GET", permission: "system:handlers_read", tag: "handlers" } as const;
  return [
    route({
      ...common,
      path: "/v1/handlers",
      summary: "Namespaces and how many task handlers each has.",
      reply: z.object({
        namespaces: z.array(
          z.object({
            name: z.string(),
            description: z.string().nullable(),
            handler_count: z.int(),
          }),
        ),
        total_count: z.int(),
      }),
      handle: async ({ caller }) => {
        const groups = byNamespace(await read(null, null, caller.namespaces));
        const namespaces = Array.from(groups, ([namespace, rows]) => ({
          name: namespace,
          description: rows[0]?.namespace_description ?? null,
          handler_count: new Set(rows.map((row) => row.name)).size,
        }));
        const total = namespaces.reduce((sum, one) => sum + one.handler_count, 0);
        return { namespaces, total_count: total };
      },
    }),
    route({
      ...common,
      path: "/v1/handlers/:namespace",
      summary: "The task handlers of a namespace.",
      params: z.object({ namespace: name }),
      reply: z.object({ namespace: z.string(), handlers: z.array(handlerSummary) }),
      errors: [404],
      handle: async ({ params: { namespace }, caller }) => {
        const rows = await read(namespace, null, caller.namespaces);
        if (rows.length === 0) throw notFound(`Namespace not found: ${namespace}`);
        const names = [...new Set(rows.map((row) => row.name))];
        return {
          namespace,
          handlers: names.map((each) => summary(rows.filter((row) => row.name === each))),
        };
      },
    }),
    route({
      ...common,
      path: "/v1/handlers/:namespace/:name",
      summary: "One task handler: its steps with dependencies, levels and critical path.",
      params: z.object({ namespace: name, name }),
      query: z.object({ version: optionalText }),
      reply: handlerDetail,
      errors: [404],
      handle: async ({ params, query, caller }) => {
        const rows = await read(params.namespace, params.name, caller.namespaces);
        const row =
          query.version === undefined
            ? highest(rows)
            : rows.find(({ version }) => version === query.version);
        if (row === undefined) {
          const version = query.version === undefined ? "" : `/${query.version}`;
          throw notFound(`Handler not found: ${params.namespace}/${params.name}${version}`);
        }
        return detail(
          row,
          rows.map(({ version }) => version),
        );
      },
    }),
  ];
}

function byNamespace(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.namespace, [...(groups.get(row.namespace) ?? []), row]);
  return groups;
}

function summary(rows: readonly Row[]): z.output<typeof handlerSummary> {
  const row = highest(rows) as Row;
  return {
    name: row.name,
    namespace: row.namespace,
    description: row.description,
    versions: rows.map(({ version }) => version),
    step_count: stepsOf(row).length,
  };
}

function detail(row: Row, versions: readonly string[]): z.output<typeof handlerDetail> {
  const steps = stepsOf(row);
  const graph = stepGraph(
    steps.map((step) => ({ name: step.name, dependencies: step.dependencies ?? [] })),
  );
  const levels = dependencyLevels(graph);
  const critical = criticalPath(graph);
  const { input_schema: schema = null } = configurationOf(row);
  return {
    name: row.name,
    namespace: row.namespace,
    version: row.version,
    versions: [...versions],
    description: row.description,
    schema: schema as z.output<typeof handlerDetail>["schema"],
    steps: steps.map((step, position) => ({
      name: step.name,
      description: step.description ?? null,
      type: step.type ?? "standard",
      callable: step.handler.callable,
      dependencies: [...(step.dependencies ?? [])],
      level: levels[position] ?? 0,
      on_critical_path: critical.includes(position),
    })),
    levels: Array.from({ length: Math.max(-1, ...levels) + 1 }, (_, level) =>
      graph.names.filter((__, position) => levels[position] === level),
    ),
    critical_path: critical.map((position) => graph.names[position] ?? ""),
  };
}

function configurationOf(row: Row): Configuration {
  return JSON.parse(row.configuration) as Configuration;
}

function stepsOf(row: Row): NonNullable<Configuration["steps"]> {
  return configurationOf(row).steps ?? [];
}

/** By semantic versioning; a pre-release comes before its release. */
function highest(rows: readonly Row[]): Row | undefined {
  return [...rows].sort((a, b) => compareVersions(b.version, a.version))[0];
}

function compareVersions(a: string, b: string): number {
  const [coreA = "", preA = ""] = a.split(/-(.*)/s);
  const [coreB = "", preB = ""] = b.split(/-(.*)/s);
  const byCore = coreA.localeCompare(coreB, "en", { numeric: true });
  if (byCore !== 0) return byCore;
  if (preA === "" || preB === "") return Number(preA === "") - Number(preB === "");
  return preA.localeCompare(preB, "en", { numeric: true });
}
