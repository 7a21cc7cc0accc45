import { messageOf } from "../thrown.js";
import type { ResolvedSettings } from "./settings.js";

/** A request failed. `recoverable`: the same request may succeed later. */
export class TaskerClientError extends Error {
  readonly recoverable: boolean;
  /** Null when there was no answer. */
  readonly statusCode: number | null;
  /** The server's error code, such as `NOT_FOUND`. */
  readonly code: string | null;
  /** What the server asked for; null when it did not. */
  readonly retryAfterSeconds: number | null;

  constructor(
    message: string,
    recoverable = false,
    detail: {
      readonly statusCode?: number;
      readonly code?: string | null;
      readonly retryAfterSeconds?: number | null;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "TaskerClientError";
    this.recoverable = recoverable;
    this.statusCode = detail.statusCode ?? null;
    this.code = detail.code ?? null;
    this.retryAfterSeconds = detail.retryAfterSeconds ?? null;
  }
}

export interface HttpRequest {
  readonly operation: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Whether sending it twice is the same as once. */
  readonly isRepeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

/** Sends, and sends again what may be repeated: after no answer, 429 and 5xx, as long as retries are left. */
export async function send<T>(settings: ResolvedSettings, request: HttpRequest): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return (await sendOnce(settings, request)) as T;
    } catch (error) {
      const isOver = !request.isRepeatable || attempt >= settings.maxRetries;
      if (isOver || !(error instanceof TaskerClientError) || !error.recoverable) throw error;
      const wanted = (error.retryAfterSeconds ?? 0) * 1000;
      const backoffMs = Math.min(FIRST_DELAY_MS * 2 ** attempt, MAX_DELAY_MS);
      await pause(
        Math.min(Math.max(wanted, backoffMs * (0.5 + Math.random() / 2)), 30_000),
        request.signal,
      );
    }
  }
}

async function sendOnce(settings: ResolvedSettings, request: HttpRequest): Promise<unknown> {
  const { operation, method, path, query = {}, body } = request;
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  const url = `${settings.baseUrl}${path}${search === "" ? "" : `?${search}`}`;
  const timeout = AbortSignal.timeout(settings.timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...settings.headers,
      },
      signal: request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (cause) {
    request.signal?.throwIfAborted();
    const why = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
    throw new TaskerClientError(
      `${operation} failed: no answer from ${settings.baseUrl}: ${messageOf(why)}`,
      true,
      { cause },
    );
  }
  if (!response.ok) throw refusal(operation, response, text);
  try {
    return text === "" ? null : JSON.parse(text);
  } catch (cause) {
    throw new TaskerClientError(
      `${operation} failed: the answer is not JSON: ${text.slice(0, 200)}`,
      false,
      { statusCode: response.status, cause },
    );
  }
}

function refusal(operation: string, response: Response, text: string): TaskerClientError {
  const { status, statusText } = response;
  let code: string | null = null;
  let detail = text.slice(0, 500);
  try {
    const { error } = JSON.parse(text) as { error?: { code?: string; message?: string } };
    code = error?.code ?? null;
    detail = error?.message ?? detail;
  } catch {
    // Not ours: a proxy's own page.
  }
  const after = response.headers.get("retry-after") ?? "";
  return new TaskerClientError(
    `${operation} failed: ${`${status} ${statusText}`.trim()}${detail === "" ? "" : `: ${detail}`}`,
    status >= 500 || status === 429 || status === 408,
    { statusCode: status, code, retryAfterSeconds: /^\d+$/.test(after) ? Number(after) : null },
  );
}

/** @throws the signal's reason */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
