import type { z } from "zod";
import type { Permission } from "./auth/permissions.js";
import type { Principal } from "./auth/principal.js";
import type { JsonBody } from "./json-body.js";

export interface RouteRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Who asks; of what is outside its namespaces, nothing is shown. */
  readonly caller: Principal;
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
  /** Its answer cannot be cut down to some namespaces: callers limited to some get 403. */
  readonly isSystemWide?: boolean;
  readonly tag: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** What a client gets when all is well. */
  readonly reply: z.ZodType;
  /** Default `application/json`. */
  readonly replyType?: string;
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
