import { randomUUID } from "node:crypto";
import cors from "@fastify/cors";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "../observability/index.js";
import { ApiError, toApiError } from "./api-error.js";
import {
  ANYBODY,
  type Authenticator,
  beyondNamespaces,
  isGranted,
  missingPermission,
  type Permission,
  type Principal,
} from "./auth/index.js";
import { type JsonBody, readJsonBody } from "./json-body.js";
import { readInput } from "./read-input.js";
import { JsonReply, type Route, TextReply } from "./route.js";

declare module "fastify" {
  interface FastifyRequest {
    caller: Principal;
  }
}

export interface AppOptions {
  readonly routes: readonly Route[];
  readonly requestTimeoutMs: number;
  readonly bodyLimitBytes: number;
  /** Adds `x-request-id` to every answer. */
  readonly hasRequestIds: boolean;
  /** Null: everybody may do everything. Asked before the body is read. */
  readonly authenticator: Authenticator | null;
  readonly logger: Logger;
}

/** The HTTP side of a server: parsing, limits, errors in the contract's form, one declaration per route. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { logger } = options;
  const app = fastify({
    bodyLimit: options.bodyLimitBytes,
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: 500, ignoreTrailingSlash: true },
    forceCloseConnections: "idle",
  });
  // Allowed are the headers that are asked for: a `*` would not cover `Authorization`.
  await app.register(cors, { origin: "*", methods: "*", exposedHeaders: "*" });
  app.decorateRequest("caller");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/(?:[\w.+-]+\+)?json\b/i,
    { parseAs: "buffer" },
    async (_request: FastifyRequest, body: Buffer) =>
      body.length === 0 ? null : readJsonBody(body),
  );
  if (options.hasRequestIds) {
    app.addHook("onRequest", async (request, reply) => {
      reply.header("x-request-id", request.id);
    });
  }
  app.setErrorHandler((error, request, reply) => {
    const answer = framework(error) ?? toApiError(error);
    if (answer.status >= 500) {
      logger.error(
        {
          err: answer.cause ?? error,
          method: request.method,
          url: request.url,
          request_id: request.id,
        },
        `${request.method} ${request.routeOptions.url ?? request.url}: ${answer.message}`,
      );
    }
    return reply.code(answer.status).headers(answer.headers).send(answer.toJSON());
  });
  app.setNotFoundHandler(async (request, reply) => {
    const allowed = methodsOf(options.routes, request.url);
    if (allowed.length === 0) throw new ApiError(404, "NOT_FOUND", "Resource not found");
    reply.header("allow", allowed.join(", "));
    throw new ApiError(405, "METHOD_NOT_ALLOWED", `Use ${allowed.join(" or ")}`);
  });
  for (const each of options.routes) addRoute(app, each, options);
  return app;
}

function addRoute(app: FastifyInstance, each: Route, options: AppOptions): void {
  app.route({
    method: each.method,
    url: each.path,
    ...(each.permission === null
      ? {}
      : {
          onRequest: async (request) => {
            request.caller = await admit(each, each.permission as Permission, request, options);
          },
        }),
    handler: async (request, reply) => {
      const ended = new AbortController();
      const timer = setTimeout(
        () => ended.abort(new ApiError(408, "TIMEOUT", "the request took too long")),
        options.requestTimeoutMs,
      );
      reply.raw.once("close", () => ended.abort(new Error("the client has gone")));
      try {
        const answer = await orTimeout(handle(each, request, ended.signal), ended.signal);
        return await send(reply, answer);
      } catch (error) {
        // The contract's answer to a request that took too long has no body.
        if (error instanceof ApiError && error.status === 408) return await reply.code(408).send();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  });
}

/** @throws ApiError 401, 403 */
async function admit(
  { method, path, isSystemWide }: Route,
  permission: Permission,
  { headers, ip }: FastifyRequest,
  { authenticator }: AppOptions,
): Promise<Principal> {
  if (authenticator === null) return ANYBODY;
  const caller = await authenticator.authenticate({ headers, ip, method, route: path });
  if (!isGranted(caller, permission)) throw missingPermission(permission);
  if (isSystemWide === true && caller.namespaces !== null) throw beyondNamespaces();
  return caller;
}

async function handle(
  each: Route,
  request: FastifyRequest,
  signal: AbortSignal,
): Promise<JsonReply | TextReply | object> {
  const params = each.params === undefined ? {} : readInput(each.params, request.params, "query");
  const query = each.query === undefined ? {} : readInput(each.query, request.query, "query");
  const json = (request.body ?? { value: null, bytes: new Uint8Array() }) as JsonBody;
  if (each.body !== undefined && request.body == null) {
    throw new ApiError(
      415,
      "UNSUPPORTED_MEDIA_TYPE",
      "Expected a body with Content-Type: application/json",
    );
  }
  const body = each.body === undefined ? {} : readInput(each.body, json.value, "body");
  return await each.handle({
    params,
    query,
    body,
    json,
    signal,
    caller: request.caller ?? ANYBODY,
  });
}

async function send(reply: FastifyReply, answer: JsonReply | TextReply | object): Promise<unknown> {
  if (answer instanceof TextReply) {
    return await reply.type(answer.contentType).send(answer.text);
  }
  const isText = answer instanceof JsonReply;
  const text = isText ? answer.text : JSON.stringify(answer);
  return await reply
    .code(isText ? answer.status : 200)
    .type("application/json; charset=utf-8")
    .send(text);
}

async function orTimeout<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  return await Promise.race([work, aborted]);
}

/** What fastify itself refuses, with its status. */
function framework(error: unknown): ApiError | undefined {
  if (!(error instanceof Error) || !("statusCode" in error) || !("code" in error)) return undefined;
  const status = Number(error.statusCode);
  switch (String(error.code)) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "Expected Content-Type: application/json");
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new ApiError(413, "PAYLOAD_TOO_LARGE", error.message);
    default:
      return status >= 400 && status < 500
        ? new ApiError(status, "BAD_REQUEST", error.message)
        : undefined;
  }
}

function methodsOf(routes: readonly Route[], url: string): string[] {
  const [path = ""] = url.split("?");
  return [
    ...new Set(
      routes
        .filter((each) => patternOf(each.path).test(path.replace(/\/$/, "")))
        .map(({ method }) => method),
    ),
  ];
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:\w+/g, "[^/]+")}$`);
}
