import type { z } from "zod";
import type { JsonBody } from "./json-body.js";

/** The contract's vocabulary; `<resource>:*` grants all of a resource. */
export const PERMISSIONS = [
  "tasks:create",
  "tasks:read",
  "tasks:list",
  "tasks:cancel",
  "tasks:context_read",
  "steps:read",
  "steps:resolve",
  "dlq:read",
  "dlq:update",
  "dlq:stats",
  "templates:read",
  "templates:validate",
  "system:config_read",
  "system:handlers_read",
  "system:analytics_read",
  "worker:config_read",
  "worker:templates_read",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export interface RouteRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The body as it came. */
  readonly json: JsonBody;
  /** Aborts when the client has gone or the request has taken too long. */
  readonly signal: AbortSignal;
}

/** JSON text that is sent as it is. */
export class JsonReply {
  readonly text: string;
  readonly status: number;

  constructor(text: string, status = 200) {
    this.text = text;
    this.status = status;
  }
}

/** Anything but JSON. */
export class TextReply {
  readonly text: string;
  readonly contentType: string;

  constructor(text: string, contentType: string) {
    this.text = text;
    this.contentType = contentType;
  }
}

export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With parameters as `:name`. */
  readonly path: string;
  /** Null: nobody is asked who they are. */
  readonly permission: Permission | null;
  readonly tag: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** What a client gets when all is well. */
  readonly reply: z.ZodType;
  /** The statuses of its errors beyond those that every route has. */
  readonly errors?: readonly number[];
  handle(
    request: RouteRequest<z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<JsonReply | TextReply | object>;
}

/** Keeps the types of what a route takes together with what it does. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  definition: Route<P, Q, B>,
): Route {
  return definition as unknown as Route;
}
