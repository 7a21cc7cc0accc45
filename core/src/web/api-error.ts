import { isConnectionLoss } from "../db/index.js";
import { isTaskerError } from "../errors/index.js";

/** What a client reads: `{"error": {"code", "message"}}` (contract/rest.md section 1). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Members of `error` beside code and message. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    extra: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly details?: Readonly<Record<string, unknown>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.status = status;
    this.code = code;
    this.headers = extra.headers ?? {};
    this.details = extra.details ?? {};
  }

  toJSON(): object {
    return { error: { code: this.code, message: this.message, ...this.details } };
  }
}

export const badRequest = (message: string): ApiError => new ApiError(400, "BAD_REQUEST", message);
export const notFound = (message = "Resource not found"): ApiError =>
  new ApiError(404, "NOT_FOUND", message);
export const invalidUuid = (text: string): ApiError => new ApiError(400, "INVALID_UUID", text);
/** The body is JSON but not what the route takes: a field is missing or has another type. */
export const unprocessable = (message: string): ApiError =>
  new ApiError(422, "UNPROCESSABLE_ENTITY", message);

/** Whatever was thrown, as an answer; what nobody foresaw tells the client nothing about the inside. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isTaskerError(error)) return fromTaskerError(error.code, error.message, error);
  if (isConnectionLoss(error)) {
    return new ApiError(503, "SERVICE_UNAVAILABLE", "The database does not answer", {
      cause: error,
      headers: { "retry-after": "5" },
    });
  }
  if (isDatabaseError(error)) {
    return new ApiError(500, "DATABASE_ERROR", "Database operation failed", { cause: error });
  }
  return new ApiError(500, "INTERNAL_ERROR", "Internal server error", { cause: error });
}

function fromTaskerError(code: string, message: string, cause: unknown): ApiError {
  switch (code) {
    case "TASK_NOT_FOUND":
    case "STEP_NOT_FOUND":
      return notFound();
    case "TEMPLATE_NOT_FOUND":
      return new ApiError(404, "NOT_FOUND", message, { cause });
    case "TASK_DUPLICATE":
      return new ApiError(409, "CONFLICT", "A task with this identity already exists", { cause });
    case "TASK_REQUEST_INVALID":
    case "PLAN_IMPOSSIBLE":
    case "RESULT_INVALID":
      return new ApiError(400, "BAD_REQUEST", message, { cause });
    case "CIRCUIT_BREAKER_OPEN":
      return new ApiError(503, "CIRCUIT_BREAKER_OPEN", "The database does not answer", {
        cause,
        headers: { "retry-after": "5" },
      });
    case "CHANNEL_CLOSED":
      return new ApiError(503, "SERVICE_UNAVAILABLE", message, { cause });
    default:
      return new ApiError(500, "INTERNAL_ERROR", "Internal server error", { cause });
  }
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && "severity" in error && "routine" in error;
}
