import { z } from "zod";
import type { Route } from "./route.js";

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  400: "The request is not what the route takes",
  401: "Who asks is not known",
  403: "Who asks may not",
  404: "There is no such thing",
  408: "The request took too long",
  409: "A task with this identity already exists",
  413: "The body is too large",
  415: "The body is not application/json",
  422: "A field of the body is missing or has another type",
  429: "Too many requests",
  500: "The server failed",
  503: "The server cannot answer now; `Retry-After` says when to try again",
};
/** Statuses that a route answers with whatever it does. */
const ALWAYS = [408, 500, 503];

const ERROR_SCHEMA = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: {
        code: { type: "string", maxLength: 64 },
        message: { type: "string", maxLength: 10_000 },
        retry_after_seconds: { type: "integer", format: "int32", minimum: 0 },
      },
    },
  },
};

export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly apiKeyHeader: string;
}

/** OpenAPI 3.1 of a server, from the declarations that serve it. */
export function openApi(routes: readonly Route[], { apiKeyHeader, ...info }: ApiInfo): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const each of routes) {
    const path = each.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][each.method.toLowerCase()] = operation(each);
  }
  return {
    openapi: "3.1.0",
    info: { ...info, description: "Contract: paths, field names and status codes of Tasker." },
    servers: [{ url: "/" }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: ERROR_SCHEMA },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        api_key: { type: "apiKey", in: "header", name: apiKeyHeader },
      },
    },
  };
}

function operation(each: Route): object {
  const guarded = each.permission === null ? [] : [401, 403];
  const errors = [...new Set([...(each.errors ?? []), ...guarded, ...ALWAYS])].sort();
  return {
    operationId: operationId(each),
    summary: each.summary,
    tags: [each.tag],
    ...(each.permission === null
      ? { security: [] }
      : { security: [{ bearer: [] }, { api_key: [] }], "x-permission": each.permission }),
    parameters: [...parameters(each.params, "path"), ...parameters(each.query, "query")],
    ...(each.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: schemaOf(each.body, "input") } },
          },
        }),
    responses: {
      200: {
        description: "Success",
        content: {
          [each.replyType ?? "application/json"]: { schema: schemaOf(each.reply, "output") },
        },
      },
      ...Object.fromEntries(
        errors.map((status) => [
          status,
          {
            description: ERROR_TEXTS[status] ?? "Error",
            ...(status === 408
              ? {}
              : {
                  content: {
                    "application/json": { schema: { $ref: "#/components/schemas/Error" } },
                  },
                }),
          },
        ]),
      ),
    },
  };
}

function operationId({ method, path }: Route): string {
  const words = path.replace(/^\/v1\//, "/").split(/[/:_-]+/);
  return [method.toLowerCase(), ...words.filter((word) => word !== "")].join("_");
}

function parameters(schema: z.ZodType | undefined, place: "path" | "query"): object[] {
  if (schema === undefined) return [];
  const object = schemaOf(schema, "input") as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(object.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || (object.required ?? []).includes(name),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    target: "draft-2020-12",
  }) as Record<string, unknown>;
  return rest;
}
